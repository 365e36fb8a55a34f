// Runs every example of the admins' page: the rules of a block, then its objects.
#include <algorithm>
#include <map>
#include <sstream>

#include "router/rules/window.h"
#include "test/router/rules/fixture.h"
#include "test/support/paths.h"

namespace dr::rules {
namespace {

using encoding::DataSetBuilder;
using encoding::Tag;
using encoding::vr;

struct Example {
  int line = 0;
  std::string rules;
  std::vector<std::string> objects;
};

std::vector<Example> examples() {
  std::ifstream in((test::source_dir() / "router/rules/README.md").string());
  std::vector<Example> found;
  std::string block;
  int number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.starts_with("```")) {
      block = block.empty() ? line.substr(3) : "";
      if (block == "toml") found.push_back({number, "", {}});
    } else if (block == "toml") {
      found.back().rules += line + "\n";
    } else if (block == "objects") {
      found.back().objects.push_back(line);
    }
  }
  return found;
}

std::string latin1(const std::string& utf8) {
  std::string out;
  for (std::size_t i = 0; i < utf8.size(); ++i) {
    const auto octet = static_cast<unsigned char>(utf8[i]);
    if (octet < 0x80) {
      out += utf8[i];
    } else {
      out += static_cast<char>((octet & 3) << 6 | (static_cast<unsigned char>(utf8[++i]) & 0x3f));
    }
  }
  return out;
}

/// Elements of one level, by tag; of a sequence its items.
struct Level {
  std::map<Tag, std::pair<encoding::Vr, std::string>> elements;
  std::map<Tag, std::vector<Level>> sequences;

  /// A key of the examples, which is one of the rules.
  void set(const std::string& key, const std::string& value) {
    const std::size_t dot = key.find('.', key.starts_with('(') ? key.find(')') : 0);
    const auto [tag, v] = place(key.substr(0, dot));
    if (dot == std::string::npos) {
      elements[tag] = {v, value};
      return;
    }
    std::istringstream items(value);
    std::size_t n = 0;
    for (std::string item; std::getline(items, item, '|'); ++n) {
      if (sequences[tag].size() <= n) sequences[tag].emplace_back();
      sequences[tag][n].set(key.substr(dot + 1), item);
    }
  }

  Bytes bytes(bool is_latin1) const {
    DataSetBuilder set;
    std::map<Tag, bool> order;
    for (const auto& [tag, element] : elements) order[tag] = false;
    for (const auto& [tag, items] : sequences) order[tag] = true;
    for (const auto& [tag, is_sequence] : order) {
      if (!is_sequence) {
        const auto& [v, value] = elements.at(tag);
        std::string octets = is_latin1 ? latin1(value) : value;
        if (v == vr('U', 'S')) {
          const int number = std::stoi(value);
          octets = {static_cast<char>(number & 0xff), static_cast<char>(number >> 8)};
        }
        set.element(tag, v, octets + (octets.size() % 2 != 0 ? " " : ""));
        continue;
      }
      set.undefined(tag, vr('S', 'Q'));
      for (const Level& item : sequences.at(tag)) {
        set.item().raw(item.bytes(is_latin1)).end_item();
      }
      set.end_sequence();
    }
    return set.bytes();
  }

 private:
  /// Of a private element in block 11, which its creator then has.
  std::pair<Tag, encoding::Vr> place(const std::string& key) {
    if (!key.starts_with('(')) {
      const auto entry = encoding::find_keyword(key);
      if (!entry) throw std::invalid_argument("no keyword: " + key);
      return {entry->tag, entry->vr};
    }
    const auto group = static_cast<std::uint16_t>(std::stoi(key.substr(1, 4), nullptr, 16));
    const std::size_t last = key.rfind(',');
    elements[{group, 0x11}] = {vr('L', 'O'), key.substr(6, last - 6)};
    const int low = std::stoi(key.substr(last + 1), nullptr, 16);
    return {{group, static_cast<std::uint16_t>(0x1100 | low)}, vr('L', 'O')};
  }
};

/// "Modality=CT; source.ae_title=ED_1" and what stands behind the arrow.
std::string decided(const RuleSet& rules, const std::string& assignments) {
  Object object;
  Level level;
  bool is_latin1 = false;
  std::map<std::string, std::string> facts;
  std::istringstream parts(assignments);
  for (std::string part; std::getline(parts, part, ';');) {
    const std::size_t start = part.find_first_not_of(' ');
    const std::size_t equals = part.find('=');
    const std::string key = part.substr(start, equals - start);
    const std::string value = part.substr(equals + 1);
    is_latin1 = is_latin1 || value == "ISO_IR 100";
    if (key.front() >= 'a' && key.front() <= 'z') {
      facts[key] = value;
    } else {
      level.set(key, value);
    }
  }
  object.data_set = level.bytes(is_latin1);
  const auto use = [&](const char* key, auto&& into) {
    if (facts.contains(key)) into = facts.at(key);
  };
  use("source.ae_title", object.calling);
  use("source.called_ae_title", object.called);
  use("source.address", object.address);
  use("source.listener", object.listener);
  use("sop_class", object.sop_class);
  if (facts.contains("received")) {  // the first Monday of the epoch
    object.received =
        UtcMicros(std::chrono::minutes(4 * 24 * 60 + *parse_week_time(facts.at("received"))));
  }
  // The transfer syntax as a fact; the octets are in explicit VR little endian all the same.
  use("transfer_syntax", object.transfer_syntax);
  const Decision decision = decide(rules, object);
  if (decision.refuse) {
    char text[32];
    std::snprintf(text, sizeof text, "refused %04XH", *decision.refuse);
    return text;
  }
  std::string text;
  for (const Route& route : decision.routes) {
    text += (text.empty() ? "" : ", ") + route.destination;
    if (route.priority == Priority::kHigh) text += " (high)";
    if (route.priority == Priority::kLow) text += " (low)";
    if (route.wait.until != Wait::Until::kNothing) text += " (waits)";
    if (!route.held.empty()) {
      text += " (held)";
    } else if (!route.transform.empty()) {
      text += " (changed)";
    }
  }
  if (text.empty()) text = "unrouted";
  return text + (decision.extract ? "; extract" : "");
}

TEST(Readme, EveryExampleDoesWhatItSays) {
  std::size_t objects = 0;
  const auto all = examples();
  for (const Example& example : all) {
    SCOPED_TRACE("README.md:" + std::to_string(example.line));
    EXPECT_EQ(findings_of(example.rules), std::vector<std::string>{});
    EXPECT_FALSE(example.objects.empty()) << "an example without objects";
    const auto rules = rules_of(example.rules);
    for (const std::string& line : example.objects) {
      const std::size_t arrow = line.find(" -> ");
      ASSERT_NE(arrow, std::string::npos) << line;
      EXPECT_EQ(decided(*rules, line.substr(0, arrow)), line.substr(arrow + 4)) << line;
      ++objects;
    }
  }
  EXPECT_GE(all.size(), 10U);
  EXPECT_GE(objects, 50U);
}

}  // namespace
}  // namespace dr::rules
