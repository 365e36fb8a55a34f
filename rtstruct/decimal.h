#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "rtstruct/model.h"

namespace dr::rtstruct {

/// A decimal string (DS, PS3.5 6.2), blanks around it ignored; nullopt where it is none. "NaN" and
/// "inf" are none either.
std::optional<double> parse_decimal(std::string_view text);
/// All values of one element; nullopt where any is none.
std::optional<std::vector<double>> parse_decimals(std::string_view text);

/// The place furthest from the origin that is believed, mm along an axis (1 km).
inline constexpr double kFurthest = 1e6;

/// Contour Data (3006,0050): x\y\z\x\y\z…, mm. With a defect nothing is kept in `points`.
Defect parse_points(std::string_view text, std::vector<Vec3>& points);

}  // namespace dr::rtstruct
