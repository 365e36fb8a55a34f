#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "rtstruct/measure.h"
#include "rtstruct/model.h"

namespace dr::rtstruct {

/// What an admin expects of structure sets; filled from TOML by whoever knows that format.
struct Expectations {
  struct Limits {
    std::optional<double> least, most;  // cm³
  };
  /// Standard names (AAPM TG-263) by the names that a site writes, both as they stand.
  std::map<std::string, std::string> names;
  /// Told where the map is there and a name is neither in it nor a standard name of it.
  bool unknown_names = true;
  /// By standard name where there is one, else by ROI name.
  std::map<std::string, Limits> volumes;
  /// ROIs of one group share no volume.
  std::vector<std::vector<std::string>> exclusive;
  double overlap = 0.1;  // cm³ that two exclusive ROIs may share
};

/// The standard name; empty where the map has none. Compared without regard to case, blanks and
/// underscores, as TG-263 demands that no two names differ by these only.
std::string standard_name(const Expectations& expectations, const std::string& name);

/// Names of TG-263 itself: at most 16 characters of letters, digits, `_ ^ ~ - + . ( )`.
bool is_tg263_form(const std::string& name);

/// Volume that two ROIs share, mm³, from their contours (planes of one orientation, matched by
/// position); nullopt where their planes are not parallel, or too complex.
std::optional<double> shared_volume(const Stack& a, const Measures& of_a, const Stack& b);

/// Contours against the slices: whether each lies in one (within a tenth of the step).
void check_planes(const Stack& stack, const ImageGrid& grid, std::vector<Finding>& findings);
/// Name and volume against what is expected.
void check_roi(const Expectations& expectations, const Roi& roi, const Measures& measures,
               std::vector<Finding>& findings);

}  // namespace dr::rtstruct
