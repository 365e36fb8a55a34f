#include "router/rules/rule_set.h"

namespace dr::rules {

std::string Diagnostic::to_string() const {
  std::string text = file;
  if (line != 0) text += ':' + std::to_string(line) + ':' + std::to_string(column);
  text += severity == Severity::kWarning ? ": warning: " : ": ";
  return text + message;
}

}  // namespace dr::rules
