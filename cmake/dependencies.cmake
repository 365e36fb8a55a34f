# Every library comes from Debian 12 as a package; the names are those of the architecture.
find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(ZLIB REQUIRED)
find_package(DCMTK REQUIRED CONFIG)
find_package(SQLiteCpp REQUIRED CONFIG)
find_package(prometheus-cpp REQUIRED CONFIG)
find_package(tomlplusplus REQUIRED CONFIG)
find_package(CLI11 REQUIRED CONFIG)
find_package(nlohmann_json REQUIRED CONFIG)
find_package(spdlog REQUIRED CONFIG)
find_package(PkgConfig REQUIRED)

# Asio's own code is compiled once, in dimse/ul/asio_impl.cpp, not in every file that includes it.
add_library(dep_asio INTERFACE)
target_compile_definitions(dep_asio INTERFACE ASIO_STANDALONE ASIO_SEPARATE_COMPILATION ASIO_NO_DEPRECATED)
target_link_libraries(dep_asio INTERFACE Threads::Threads)
# Asio 1.22 takes aligned_alloc where some header of libstdc++ stood before its own, and operator new
# elsewhere: memory would be freed by the other's counterpart.
target_compile_definitions(dep_asio INTERFACE ASIO_DISABLE_STD_ALIGNED_ALLOC)
# g++ 12 takes the coroutine frame's own operator new, inlined, for a mismatch with its delete.
target_compile_options(dep_asio INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-mismatched-new-delete>)
# TSan knows no fences; Asio's queues are guarded by mutexes besides.
if(DR_SANITIZE STREQUAL "thread")
  target_compile_definitions(dep_asio INTERFACE ASIO_DISABLE_FENCED_BLOCK)
endif()

# dcmdata and what it pulls in; as SYSTEM, so that its headers do not fail our warnings.
add_library(dep_dcmtk INTERFACE)
target_include_directories(dep_dcmtk SYSTEM INTERFACE ${DCMTK_INCLUDE_DIRS})
target_link_libraries(dep_dcmtk INTERFACE DCMTK::dcmdata DCMTK::oflog DCMTK::ofstd)

# Segmentations and measurement reports.
add_library(dep_dcmtk_results INTERFACE)
target_link_libraries(dep_dcmtk_results INTERFACE dep_dcmtk DCMTK::dcmseg DCMTK::dcmfg DCMTK::dcmiod
                                                  DCMTK::dcmsr DCMTK::cmr)

# toml++ as a header costs seconds in each file: declarations only, defined once in router/rules.
add_library(dep_toml INTERFACE)
target_compile_definitions(dep_toml INTERFACE TOML_HEADER_ONLY=0 TOML_EXCEPTIONS=0)

pkg_check_modules(RE2 REQUIRED IMPORTED_TARGET re2)
add_library(dep_re2 ALIAS PkgConfig::RE2)

# Time zones by name: libstdc++ 12 has none. Debian's package brings neither CMake nor pkg-config files.
find_library(CCTZ_LIBRARY cctz REQUIRED)
add_library(dep_cctz INTERFACE)
target_link_libraries(dep_cctz INTERFACE ${CCTZ_LIBRARY})

# With the macros that the library was compiled with: its classes have other members without them.
pkg_check_modules(HTTPLIB REQUIRED IMPORTED_TARGET cpp-httplib)
add_library(dep_httplib INTERFACE)
target_link_libraries(dep_httplib INTERFACE PkgConfig::HTTPLIB OpenSSL::SSL Threads::Threads)

pkg_check_modules(PQXX REQUIRED IMPORTED_TARGET libpqxx libpq)
add_library(dep_postgresql ALIAS PkgConfig::PQXX)

# Debian's Connector/C++ speaks through libmariadb and comes without a .pc file. Its headers throw by
# specification, which is no warning of ours.
find_path(MYSQLCPPCONN_INCLUDE mysql_driver.h REQUIRED)
find_library(MYSQLCPPCONN_LIBRARY mysqlcppconn REQUIRED)
add_library(dep_mysql INTERFACE)
target_include_directories(dep_mysql SYSTEM INTERFACE ${MYSQLCPPCONN_INCLUDE})
target_link_libraries(dep_mysql INTERFACE ${MYSQLCPPCONN_LIBRARY})
pkg_check_modules(SECCOMP REQUIRED IMPORTED_TARGET libseccomp)
