#include "router/rules/program.h"

#include <algorithm>

#include "router/rules/index.h"

namespace dr::rules {

using encoding::Tag;

Program::Program() = default;
Program::Program(Program&&) noexcept = default;
Program& Program::operator=(Program&&) noexcept = default;
Program::~Program() = default;

encoding::ScanPlan Program::scan_plan() const {
  namespace tags = encoding::tags;
  std::vector<Tag> wanted{tags::kSpecificCharacterSet,
                          tags::kSopClassUid,
                          tags::kSopInstanceUid,
                          tags::kModality,
                          tags::kPatientId,
                          tags::kStudyInstanceUid,
                          tags::kSeriesInstanceUid};
  for (const Field& field : fields) {
    if (field.source != Field::Source::kElement) continue;
    const bool nested = !field.path.empty();
    const Tag tag = nested ? field.path.front().sequence : field.tag;
    if ((nested ? field.path.front().creator : field.creator) == kStandard) {
      wanted.push_back(tag);
      continue;
    }
    for (unsigned block = 0x10; block <= 0xff; ++block) {  // the creator may have any of these
      wanted.push_back({tag.group, static_cast<std::uint16_t>(block << 8 | tag.element)});
      wanted.push_back({tag.group, static_cast<std::uint16_t>(block)});
    }
  }
  return encoding::ScanPlan(std::move(wanted));
}

std::uint32_t ProgramBuilder::field(Field field) {
  const auto next = static_cast<std::uint32_t>(program_.fields.size());
  const auto [at, is_new] = fields_.try_emplace(field.name, next);
  if (is_new) program_.fields.push_back(std::move(field));
  return at->second;
}

std::uint32_t ProgramBuilder::creator(std::uint16_t group, const std::string& name) {
  auto& all = program_.creators;
  const auto at = std::ranges::find_if(
      all, [&](const PrivateCreator& c) { return c.group == group && c.name == name; });
  const auto index = static_cast<std::uint32_t>(at - all.begin());
  if (at == all.end()) all.push_back({group, name});
  return index;
}

std::uint32_t ProgramBuilder::destination(const std::string& name) {
  auto& all = program_.destinations;
  const auto at = std::ranges::find(all, name);
  const auto index = static_cast<std::uint32_t>(at - all.begin());
  if (at == all.end()) all.push_back(name);
  return index;
}

std::uint32_t ProgramBuilder::begin_node(Program::Node::Op op, bool list) {
  program_.nodes.push_back({op, 0, 0, list});
  return next_node() - 1;
}

void ProgramBuilder::end_node(std::uint32_t node) { program_.nodes[node].end = next_node(); }

void ProgramBuilder::add_test(std::uint32_t field, Pattern pattern) {
  const auto next = static_cast<std::uint32_t>(program_.tests.size());
  const auto [at, is_new] =
      tests_.try_emplace(std::to_string(field) + ' ' + pattern.canonical, next);
  if (is_new) program_.tests.push_back({field, std::move(pattern)});
  const std::uint32_t node = begin_node(Program::Node::Op::kTest);
  program_.nodes[node].test = at->second;
  end_node(node);
}

Program ProgramBuilder::finish(TimeZone zone) && {
  program_.zone = std::move(zone);
  program_.index = std::make_unique<const Index>(program_);
  return std::move(program_);
}

}  // namespace dr::rules
