# Build rules shared by every folder of core/: the C dialect, the warnings, and ra_layer().
include(GNUInstallDirs)
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

add_library(ra_flags INTERFACE)
target_compile_options(ra_flags INTERFACE -Wall -Wextra -Wconversion -Wshadow -Werror
  -Wno-sign-conversion -ffp-contract=off -fno-omit-frame-pointer)
target_compile_definitions(ra_flags INTERFACE _GNU_SOURCE RA_VERSION="${PROJECT_VERSION}"
  $<$<BOOL:${RA_TESTS}>:RA_TEST_BUILD=1>)
target_include_directories(ra_flags INTERFACE ${CMAKE_SOURCE_DIR}/core)
if(RA_SANITIZE)
  target_compile_options(ra_flags INTERFACE -fsanitize=${RA_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(ra_flags INTERFACE -fsanitize=${RA_SANITIZE})
endif()

if(RA_FUZZ)
  target_compile_options(ra_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# ra_packages(base openssl jansson): imported pkg-config targets PkgConfig::<name>, made once.
macro(ra_packages)
  foreach(package ${ARGN})
    if(NOT TARGET PkgConfig::${package})
      pkg_check_modules(${package} REQUIRED IMPORTED_TARGET GLOBAL ${package})
    endif()
  endforeach()
endmacro()

# ra_layer(raster SOURCES a.c b.c DEPENDS base PACKAGES libpng): one static library a folder of core/.
# DEPENDS are the layers that it may include; tests/support/check_layers rejects any other include.
function(ra_layer name)
  cmake_parse_arguments(L "" "" "SOURCES;DEPENDS;PACKAGES;LIBRARIES" ${ARGN})
  ra_packages(${L_PACKAGES})
  add_library(ra_${name} STATIC ${L_SOURCES})
  target_link_libraries(ra_${name} PUBLIC ra_flags Threads::Threads m)
  foreach(layer ${L_DEPENDS})
    target_link_libraries(ra_${name} PUBLIC ra_${layer})
  endforeach()
  foreach(package ${L_PACKAGES})
    target_link_libraries(ra_${name} PUBLIC PkgConfig::${package})
  endforeach()
  target_link_libraries(ra_${name} PUBLIC ${L_LIBRARIES})
  set_property(GLOBAL APPEND PROPERTY RA_LAYERS ${name})
endfunction()
