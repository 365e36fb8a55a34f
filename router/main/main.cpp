#include "router/cli/cli.h"

int main(int argc, char** argv) { return dr::cli::run(argc, argv); }
