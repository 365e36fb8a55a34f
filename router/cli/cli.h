#pragma once

namespace dr::cli {

/// The command line: `dicom-router COMMAND …`. Returns the exit code: 0 yes or done, 1 the thing
/// asked about is wrong, 2 wrong usage, 3 it could not be asked.
int run(int argc, char** argv);

}  // namespace dr::cli
