# SPDX-License-Identifier: Apache-2.0
#
# vd_library(NAME SOURCES a.c … [DEPENDS vd libraries …] [LIBS third-party targets …])
#     static library vd_NAME; headers are included by their path from the top: "base/fault.h"
# vd_program(NAME SOURCES … [DEPENDS …] [LIBS …] [MAN page.8 …])
# vd_module(NAME VERSION v SOURCES … [DEPENDS …] [LIBS …] [MAN …])
#     a program, laid out with its manifest as build/…/packages/NAME/VERSION
# vd_test(NAME LABEL unit [OF vd libraries …] [SOURCES …] [LIBS …] [TIMEOUT s])
#     a cmocka program: tests/unit mirrors the tree, so that twin/document's test of merge.c
#     is tests/unit/twin/document/test_merge.c; other labels have tests/LABEL/test_NAME.c
# vd_fuzz(NAME OF … [CORPUS folder])
#     tests/fuzz/fuzz_NAME.c: a fuzzer under the fuzz preset, else a test over its corpus;
#     CORPUS instead of tests/fuzz/corpus/NAME, for one that is made by the build
# vd_embed(TARGET file.json symbol)
#     the file's text as `const char symbol[]` and `const size_t symbol_len`, linked into TARGET

set(VD_SANITIZE "" CACHE STRING "sanitizers, as for -fsanitize=")
option(VD_HARDEN "hardening flags of a release" OFF)
option(VD_FUZZ "build libFuzzer targets (clang)" OFF)

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
include(GNUInstallDirs)

function(vd_find name package)
	pkg_check_modules(${name} REQUIRED IMPORTED_TARGET ${package})
endfunction()
vd_find(CJSON libcjson)
vd_find(EVENT libevent_core)
vd_find(CRYPTO libcrypto)
vd_find(NETTLE nettle)
if(BUILD_TESTING)
	vd_find(CMOCKA cmocka)
endif()

add_compile_definitions(_GNU_SOURCE)
add_compile_options(
	-Wall -Wextra -Werror -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes
	-Wmissing-prototypes -Wvla -Wformat=2 -Wundef -Wwrite-strings -Wimplicit-fallthrough
	-Wdate-time -Wno-unused-parameter -fno-common
	-ffile-prefix-map=${CMAKE_SOURCE_DIR}=.)
if(CMAKE_C_COMPILER_ID STREQUAL "Clang")
	# NULL pointer arithmetic in cmocka's and libevent's macros is not ours to mend.
	add_compile_options(-Wno-gnu-zero-variadic-macro-arguments)
endif()
# Assertions stay on in every build: no -DNDEBUG.
set(CMAKE_C_FLAGS_RELEASE "-O2")
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g")
set(CMAKE_C_FLAGS_DEBUG "-O1 -g -fno-omit-frame-pointer")

if(VD_SANITIZE)
	add_compile_options(-fsanitize=${VD_SANITIZE} -fno-sanitize-recover=all)
	add_link_options(-fsanitize=${VD_SANITIZE})
endif()
if(VD_FUZZ)
	add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(VD_HARDEN)
	add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong
		-fstack-clash-protection -fcf-protection -ftrivial-auto-var-init=zero
		-ffunction-sections -fdata-sections)
	add_link_options(-Wl,-z,relro,-z,now,-z,noexecstack -Wl,--gc-sections -Wl,--as-needed)
endif()
if(NOT VD_SANITIZE)
	string(APPEND CMAKE_EXE_LINKER_FLAGS " -pie") # programs only, not the broker's plugin
endif()

configure_file(${CMAKE_SOURCE_DIR}/base/version.h.in ${CMAKE_BINARY_DIR}/generated/base/version.h @ONLY)

function(vd_set_up target)
	cmake_parse_arguments(ARG "" "" "DEPENDS;LIBS" ${ARGN})
	target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR}/generated)
	list(TRANSFORM ARG_DEPENDS PREPEND vd_)
	target_link_libraries(${target} PUBLIC ${ARG_DEPENDS} ${ARG_LIBS})
endfunction()

function(vd_library name)
	cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;LIBS" ${ARGN})
	add_library(vd_${name} STATIC ${ARG_SOURCES})
	vd_set_up(vd_${name} DEPENDS ${ARG_DEPENDS} LIBS ${ARG_LIBS})
endfunction()

function(vd_install_man)
	foreach(page ${ARGN})
		string(REGEX REPLACE ".*\\." "" section ${page})
		install(FILES ${page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
	endforeach()
endfunction()

function(vd_program name)
	cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;LIBS;MAN" ${ARGN})
	add_executable(${name} ${ARG_SOURCES})
	vd_set_up(${name} DEPENDS ${ARG_DEPENDS} LIBS ${ARG_LIBS})
	set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
	install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
	vd_install_man(${ARG_MAN})
endfunction()

# A package as vedette-package(5) has it: the program, manifest.json and schema.json.
function(vd_module name)
	cmake_parse_arguments(ARG "" "VERSION" "SOURCES;DEPENDS;LIBS;MAN" ${ARGN})
	add_executable(vedette-${name} ${ARG_SOURCES})
	vd_set_up(vedette-${name} DEPENDS ${ARG_DEPENDS} LIBS ${ARG_LIBS})
	vd_embed(vedette-${name} ${CMAKE_CURRENT_SOURCE_DIR}/schema.json vd_schema_json)
	set(folder ${CMAKE_BINARY_DIR}/packages/${name}/${ARG_VERSION})
	set_target_properties(vedette-${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${folder})
	set(PACKAGE_VERSION ${ARG_VERSION})
	configure_file(manifest.json ${folder}/manifest.json @ONLY)
	configure_file(schema.json ${folder}/schema.json COPYONLY)
	install(TARGETS vedette-${name} RUNTIME DESTINATION lib/vedette/packages/${name}/${ARG_VERSION})
	install(FILES ${folder}/manifest.json ${folder}/schema.json
		DESTINATION lib/vedette/packages/${name}/${ARG_VERSION})
	vd_install_man(${ARG_MAN})
endfunction()

function(vd_embed target file symbol)
	set(out ${CMAKE_CURRENT_BINARY_DIR}/${symbol}.c)
	add_custom_command(OUTPUT ${out}
		COMMAND ${CMAKE_COMMAND} -DIN=${file} -DOUT=${out} -DSYMBOL=${symbol}
			-P ${CMAKE_SOURCE_DIR}/cmake/Embed.cmake
		DEPENDS ${file} ${CMAKE_SOURCE_DIR}/cmake/Embed.cmake VERBATIM)
	target_sources(${target} PRIVATE ${out})
endfunction()

function(vd_test name)
	cmake_parse_arguments(ARG "" "LABEL;TIMEOUT" "OF;SOURCES;LIBS" ${ARGN})
	if(NOT BUILD_TESTING OR VD_FUZZ)
		return()
	endif()
	set(source tests/${ARG_LABEL}/test_${name}.c)
	if(ARG_LABEL STREQUAL "unit")
		file(RELATIVE_PATH folder ${CMAKE_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
		set(source tests/unit/${folder}/test_${name}.c)
	endif()
	add_executable(test_${name} ${CMAKE_SOURCE_DIR}/${source} ${ARG_SOURCES})
	target_include_directories(test_${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
	vd_set_up(test_${name} DEPENDS ${ARG_OF} LIBS ${ARG_LIBS} PkgConfig::CMOCKA)
	add_test(NAME ${ARG_LABEL}.${name} COMMAND test_${name})
	if(NOT ARG_TIMEOUT)
		set(ARG_TIMEOUT 120)
	endif()
	set_tests_properties(${ARG_LABEL}.${name} PROPERTIES LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT})
endfunction()

# Without the fuzz preset, fuzz_replay.c runs every file of the corpus and many mutations of each.
function(vd_fuzz name)
	cmake_parse_arguments(ARG "" "CORPUS" "OF;SOURCES;LIBS" ${ARGN})
	if(NOT BUILD_TESTING)
		return()
	endif()
	set(source ${CMAKE_SOURCE_DIR}/tests/fuzz/fuzz_${name}.c)
	set(corpus ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${name})
	file(GLOB spelt ${corpus}/*.hex)
	if(ARG_CORPUS)
		set(corpus ${ARG_CORPUS})
	elseif(spelt)
		set(seeds ${CMAKE_BINARY_DIR}/seeds/${name})
		execute_process(COMMAND /usr/bin/python3 ${CMAKE_SOURCE_DIR}/tests/fuzz/unhex.py ${corpus} ${seeds}
			COMMAND_ERROR_IS_FATAL ANY)
		set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${spelt})
		set(corpus ${seeds})
	endif()
	if(VD_FUZZ)
		add_executable(fuzz_${name} ${source} ${ARG_SOURCES})
		target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
		add_test(NAME fuzz.${name} COMMAND fuzz_${name} -max_total_time=60 -timeout=10
			-rss_limit_mb=2048 -artifact_prefix=${CMAKE_BINARY_DIR}/ ${CMAKE_BINARY_DIR}/corpus/${name} ${corpus})
		file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/corpus/${name})
	else()
		add_executable(fuzz_${name} ${source} ${ARG_SOURCES} ${CMAKE_SOURCE_DIR}/tests/fuzz/fuzz_replay.c)
		add_test(NAME fuzz.${name} COMMAND fuzz_${name} ${corpus})
	endif()
	vd_set_up(fuzz_${name} DEPENDS ${ARG_OF} LIBS ${ARG_LIBS})
	set_tests_properties(fuzz.${name} PROPERTIES LABELS fuzz TIMEOUT 180)
endfunction()
