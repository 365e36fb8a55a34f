#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include <toml++/toml.h>

#include "router/rules/program.h"
#include "router/rules/rule_set.h"
#include "router/rules/toml_reader.h"

namespace dr::rules {

/// Compiles rules one file after another into one program.
class RuleCompiler {
 public:
  /// `site` must outlive the compiler.
  explicit RuleCompiler(const Site& site) : site_(site) {}

  /// `file`: its name in the rule folder.
  void add_file(const toml::table& root, const std::string& file, Findings& findings);

  const std::vector<RuleInfo>& infos() const { return infos_; }
  const Program& program() const { return program_.program(); }
  std::vector<RuleInfo> take_infos() { return std::move(infos_); }
  Program take_program() { return std::move(program_).finish(site_.zone); }

 private:
  void add_rule(const toml::table& table, const std::string& file, Findings& findings);
  void read_name(const toml::table& table, RuleInfo& info, Findings& findings);
  void read_route(const toml::node& node, RuleInfo& info, Findings& findings);
  void read_when(const toml::table& table, Program::Rule& rule, Findings& findings);

  const Site& site_;
  std::map<std::string, std::string> names_;  // of rules so far, and where they stand
  std::vector<RuleInfo> infos_;
  ProgramBuilder program_;
};

}  // namespace dr::rules
