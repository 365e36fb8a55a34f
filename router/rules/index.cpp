#include "router/rules/index.h"

#include <algorithm>
#include <map>
#include <set>

#include <re2/filtered_re2.h>
#include <re2/re2.h>

#include "router/rules/program.h"

namespace dr::rules {
namespace {

constexpr int kShortestAtom = 2;

/// The longest part of a glob without wildcards; empty when it has only those.
std::string_view longest_word(std::string_view glob) {
  std::string_view longest;
  while (!glob.empty()) {
    const std::size_t end = std::min(glob.find_first_of("*?"), glob.size());
    if (end > longest.size()) longest = glob.substr(0, end);
    glob.remove_prefix(std::min(end + 1, glob.size()));
  }
  return longest;
}

bool is_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return (c & 0x80) == 0; });
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

}  // namespace

FieldIndex::FieldIndex() = default;
FieldIndex::FieldIndex(FieldIndex&&) noexcept = default;
FieldIndex::~FieldIndex() = default;

void FieldIndex::add(std::uint32_t test, const Pattern& pattern) {
  if (pattern.absent_or_empty) absent_.push_back(test);
  for (const std::string& literal : pattern.literals) literals_[literal].push_back(test);
  for (const Interval& each : pattern.intervals) {
    ranges_[static_cast<std::size_t>(each.scale)].push_back({each, test});
  }
  for (const AddressRange& range : pattern.addresses) addresses_.push_back({range, test});
  for (const std::string& glob : pattern.globs) globs_.push_back({glob, test});
  for (const auto& each : pattern.expressions) expressions_.push_back({each.get(), test});
}

void FieldIndex::finish() {
  std::map<std::string, Word> words;
  for (std::uint32_t i = 0; i < globs_.size(); ++i) {
    const std::string word = lower_case(longest_word(globs_[i].text));
    if (word.empty()) {
      loose_globs_.push_back(i);
    } else {
      words[word].globs.push_back(i);
    }
  }
  if (!expressions_.empty()) {
    filter_ = std::make_unique<re2::FilteredRE2>(kShortestAtom);
    for (const Expression& each : expressions_) {
      int id = 0;
      filter_->Add(each.expression->pattern(), each.expression->options(), &id);
      all_expressions_.push_back(id);
    }
    std::vector<std::string> atoms;
    filter_->Compile(&atoms);
    for (std::size_t i = 0; i < atoms.size(); ++i) words[atoms[i]].atom = static_cast<int>(i);
    filter_->AllPotentials({}, &loose_expressions_);
  }
  if (words.empty()) return;
  std::vector<std::string> texts;
  for (auto& [text, word] : words) {
    texts.push_back(text);
    words_.push_back(std::move(word));
  }
  finder_.emplace(texts);
}

void FieldIndex::match(std::span<const std::string_view> values,
                       std::pmr::vector<std::uint32_t>& holding) const {
  bool empty = true;
  for (const std::string_view value : values) {
    if (value.empty()) continue;
    empty = false;
    match_one(value, holding);
  }
  if (empty) holding.insert(holding.end(), absent_.begin(), absent_.end());
}

void FieldIndex::match_one(std::string_view value, std::pmr::vector<std::uint32_t>& holding) const {
  if (const auto at = literals_.find(value); at != literals_.end()) {
    holding.insert(holding.end(), at->second.begin(), at->second.end());
  }
  for (std::size_t scale = 0; scale < ranges_.size(); ++scale) {
    if (ranges_[scale].empty()) continue;
    const auto number = value_on_scale(value, static_cast<Scale>(scale));
    if (!number) continue;
    for (const Range& range : ranges_[scale]) {
      if (range.interval.contains(*number)) holding.push_back(range.test);
    }
  }
  if (!addresses_.empty()) {
    if (const auto address = NumericAddress::parse(value)) {
      for (const Addresses& each : addresses_) {
        if (each.range.contains(*address)) holding.push_back(each.test);
      }
    }
  }
  for (const std::uint32_t glob : loose_globs_) {
    if (glob_matches(globs_[glob].text, value)) holding.push_back(globs_[glob].test);
  }
  if (finder_ || filter_) match_text(value, holding);
}

void FieldIndex::match_text(std::string_view value,
                            std::pmr::vector<std::uint32_t>& holding) const {
  std::vector<int> atoms;
  if (finder_) {
    finder_->find(value, [&](std::uint32_t found) {
      const Word& word = words_[found];
      for (const std::uint32_t glob : word.globs) {
        if (glob_matches(globs_[glob].text, value)) holding.push_back(globs_[glob].test);
      }
      if (word.atom >= 0) atoms.push_back(word.atom);
    });
  }
  if (!filter_) return;
  // The filter's words are in lower case after Unicode, the finder knows only ASCII's letters.
  if (!is_ascii(value)) return try_expressions(value, all_expressions_, holding);
  if (atoms.empty()) return try_expressions(value, loose_expressions_, holding);
  std::ranges::sort(atoms);
  atoms.erase(std::unique(atoms.begin(), atoms.end()), atoms.end());
  std::vector<int> possible;
  filter_->AllPotentials(atoms, &possible);
  try_expressions(value, possible, holding);
}

void FieldIndex::try_expressions(std::string_view value, std::span<const int> which,
                                 std::pmr::vector<std::uint32_t>& holding) const {
  for (const int i : which) {
    const Expression& each = expressions_[static_cast<std::size_t>(i)];
    if (re2::RE2::PartialMatch(re2::StringPiece(value.data(), value.size()), *each.expression)) {
      holding.push_back(each.test);
    }
  }
}

Index::Index(const Program& program)
    : guarded_(program.tests.size()), always_((program.rules.size() + 63) / 64, 0) {
  fields_.resize(program.fields.size());
  for (std::uint32_t test = 0; test < program.tests.size(); ++test) {
    fields_[program.tests[test].field].add(test, program.tests[test].pattern);
  }
  for (FieldIndex& field : fields_) field.finish();
  std::vector<std::size_t> users(program.tests.size(), 0);
  for (const Program::Rule& rule : program.rules) {
    if (rule.unmatched) continue;
    std::set<std::uint32_t> tests;
    for (std::uint32_t at = rule.condition; at < program.nodes[rule.condition].end; ++at) {
      if (program.nodes[at].op == Program::Node::Op::kTest) tests.insert(program.nodes[at].test);
    }
    for (const std::uint32_t test : tests) ++users[test];
  }
  std::set<std::uint32_t> guard_fields;
  for (std::uint32_t i = 0; i < program.rules.size(); ++i) {
    const Program::Rule& rule = program.rules[i];
    const auto guards = rule.unmatched ? std::nullopt : guard(program, rule.condition, users);
    if (!guards) {
      always_[i / 64] |= std::uint64_t{1} << (i % 64);
      continue;
    }
    for (const std::uint32_t test : guards->tests) {
      guarded_[test].push_back(i);
      guard_fields.insert(program.tests[test].field);
    }
  }
  guard_fields_.assign(guard_fields.begin(), guard_fields.end());
}

std::optional<Index::Guard> Index::guard(const Program& program, std::uint32_t at,
                                         const std::vector<std::size_t>& users) const {
  using Op = Program::Node::Op;
  const Program::Node& node = program.nodes[at];
  if (node.op == Op::kNot) return std::nullopt;
  if (node.op == Op::kTest) return Guard{{node.test}, users[node.test]};
  std::optional<Guard> best;
  for (std::uint32_t child = at + 1; child < node.end; child = program.nodes[child].end) {
    auto candidate = guard(program, child, users);
    if (node.op == Op::kAll) {
      if (candidate && (!best || candidate->rules < best->rules)) best = std::move(candidate);
      continue;
    }
    if (!candidate) return std::nullopt;  // of `any`, each needs one
    if (!best) best.emplace();
    best->tests.insert(best->tests.end(), candidate->tests.begin(), candidate->tests.end());
    best->rules += candidate->rules;
  }
  return best;
}

}  // namespace dr::rules
