# package.cmake - the Debian packages: rastrum, and rastrum-gdal for the TIFFs that only GDAL reads, since GDAL brings along
# more than a hundred libraries.
find_program(GZIP gzip REQUIRED)
configure_file(debian/changelog.in changelog @ONLY)
execute_process(COMMAND ${GZIP} -9nf ${CMAKE_CURRENT_BINARY_DIR}/changelog COMMAND_ERROR_IS_FATAL ANY)
foreach(part Unspecified gdal)
  string(REPLACE "Unspecified" "rastrum" package ${part})
  string(REPLACE "gdal" "rastrum-gdal" package ${package})
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/changelog.gz copyright DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${package}
    COMPONENT ${part})
  install(FILES debian/${package}.lintian-overrides DESTINATION ${CMAKE_INSTALL_DATADIR}/lintian/overrides RENAME ${package}
    COMPONENT ${part})
endforeach()

set(CPACK_GENERATOR DEB)
set(CPACK_SET_DESTDIR ON)  # /etc is not below the prefix
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGE_NAME rastrum)
set(CPACK_PACKAGE_CONTACT "The Rastrum authors <rastrum@localhost>")
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL Unspecified)
if(TARGET rastrum_gdal)
  list(APPEND CPACK_COMPONENTS_ALL gdal)
endif()
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_UNSPECIFIED_PACKAGE_NAME rastrum)
set(CPACK_DEBIAN_UNSPECIFIED_PACKAGE_SECTION science)
set(CPACK_DEBIAN_UNSPECIFIED_PACKAGE_RECOMMENDS ca-certificates)
set(CPACK_DEBIAN_UNSPECIFIED_PACKAGE_SUGGESTS "nginx, rastrum-gdal")
set(CPACK_COMPONENT_UNSPECIFIED_DESCRIPTION "map tiles, time series and a STAC catalog from NetCDF
Rastrum turns NetCDF, Zarr and GeoTIFF files into web services: map tiles, time
series of points and areas, and a STAC catalog. Files are ingested into
Cloud-Optimised GeoTIFF and Zarr, which any other program can read too; routes,
searches and workflows are plugins in Lua.")
set(CPACK_DEBIAN_UNSPECIFIED_PACKAGE_CONTROL_EXTRA)
foreach(script postinst prerm postrm conffiles)
  list(APPEND CPACK_DEBIAN_UNSPECIFIED_PACKAGE_CONTROL_EXTRA ${CMAKE_CURRENT_SOURCE_DIR}/debian/${script})
endforeach()
set(CPACK_DEBIAN_GDAL_PACKAGE_NAME rastrum-gdal)
set(CPACK_DEBIAN_GDAL_PACKAGE_SECTION science)
set(CPACK_DEBIAN_GDAL_PACKAGE_DEPENDS "rastrum (= ${PROJECT_VERSION})")
set(CPACK_COMPONENT_GDAL_DESCRIPTION "Rastrum's module for the GeoTIFFs that only GDAL reads
With it rastrum ingests GeoTIFFs whose compression or layout its own reader
does not know. GDAL is loaded when such a file comes, by that ingest alone.")
include(CPack)
