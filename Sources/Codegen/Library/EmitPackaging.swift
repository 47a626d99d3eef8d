import IR

// What surrounds the C: a CMake project, a pkg-config file and, if asked for, the thread pool.

extension ModuleEmitter {
  func packagingFiles() -> [EmittedLibrary.File] {
    var files = [EmittedLibrary.File("CMakeLists.txt", cmake), EmittedLibrary.File("\(options.name).pc", pkgConfig)]
    switch options.threads {
    case .none: break
    case .pthread:
      files.append(EmittedLibrary.File("\(options.name)_pthread.h", poolText(PoolText.header)))
      files.append(EmittedLibrary.File("\(options.name)_pthread.c", poolText(PoolText.source)))
    }
    return files
  }

  private func poolText(_ text: String) -> String {
    LibraryText.fill(text, prefix: prefix).replacing("@N@", with: options.name) + "\n"
  }

  private var sources: [String] {
    var sources = ["\(options.name).c"]
    switch options.weightsForm {
    case .blob: break
    case .incbin: sources.append("\(options.name)_weights.S")
    case .array: sources.append("\(options.name)_weights.c")
    }
    if options.threads == .pthread { sources.append("\(options.name)_pthread.c") }
    return sources
  }

  private var cmake: String {
    let name = options.name
    let assembles = options.weightsForm == .incbin
    let pool = options.threads == .pthread
    var lines = [
      "cmake_minimum_required(VERSION 3.13)",
      "project(\(name) VERSION \(options.version) LANGUAGES C\(assembles ? " ASM" : ""))",
      "include(GNUInstallDirs)",
      "if(NOT CMAKE_BUILD_TYPE)",
      "  set(CMAKE_BUILD_TYPE Release)",
      "endif()",
      "",
      "add_library(\(name) STATIC \(sources.joined(separator: " ")))",
      "set_target_properties(\(name) PROPERTIES C_STANDARD 99 C_EXTENSIONS OFF C_VISIBILITY_PRESET hidden",
      "  POSITION_INDEPENDENT_CODE ON)",
      "target_compile_options(\(name) PRIVATE",
      "  \"$<$<COMPILE_LANGUAGE:C>:\(Toolchain.codeFlags(for: target).joined(separator: ";"))>\")",
      "target_include_directories(\(name) PUBLIC",
      "  $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)",
    ]
    if assembles {
      lines.append("target_include_directories(\(name) PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})")
      lines.append(
        "set_source_files_properties(\(name)_weights.S PROPERTIES OBJECT_DEPENDS "
          + "${CMAKE_CURRENT_SOURCE_DIR}/\(name).weights)")
    }
    if pool {
      lines += [
        "find_package(Threads REQUIRED)", "target_link_libraries(\(name) PUBLIC Threads::Threads)",
      ]
    }
    lines += [
      "if(UNIX)", "  target_link_libraries(\(name) PUBLIC m)", "endif()", "",
      "install(TARGETS \(name) EXPORT \(name)Targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})",
      "install(EXPORT \(name)Targets FILE \(name)Config.cmake DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/\(name))",
      "install(FILES \(name).h\(pool ? " \(name)_pthread.h" : "") DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})",
      "install(FILES \(name).weights DESTINATION ${CMAKE_INSTALL_DATADIR}/\(name))",
      "install(FILES \(name).pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)",
    ]

    return lines.joined(separator: "\n") + "\n"
  }

  private var pkgConfig: String {
    """
    prefix=${pcfiledir}/../..
    libdir=${prefix}/lib
    includedir=${prefix}/include
    weights=${prefix}/share/\(options.name)/\(options.name).weights

    Name: \(options.name)
    Description: \(options.name) compiled to C for \(target.name)
    Version: \(options.version)
    Cflags: -I${includedir}
    Libs: -L${libdir} -l\(options.name) -lm\(options.threads == .pthread ? " -pthread" : "")

    """
  }
}
