// Asio's own code, compiled once (ASIO_SEPARATE_COMPILATION, see cmake/dependencies.cmake).
#include <asio/impl/src.hpp>
