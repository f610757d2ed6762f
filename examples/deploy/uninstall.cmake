# uninstall.cmake - cmake -D MANIFEST=…/install_manifest.txt -P uninstall.cmake: removes what was installed last, and the
# folders of ours that are empty then. The configuration stays.
if(NOT EXISTS ${MANIFEST})
  message(FATAL_ERROR "${MANIFEST} is not there: nothing was installed from this build")
endif()
file(STRINGS ${MANIFEST} files)
list(FILTER files EXCLUDE REGEX "/etc/rastrum/")
foreach(file IN LISTS files)
  file(REMOVE "$ENV{DESTDIR}${file}")
  while(file MATCHES "/rastrum(-gdal)?/")
    get_filename_component(file ${file} DIRECTORY)
    list(APPEND folders "$ENV{DESTDIR}${file}")
  endwhile()
endforeach()
list(REMOVE_DUPLICATES folders)
list(SORT folders ORDER DESCENDING)  # a folder before the one that it is in
execute_process(COMMAND rmdir --ignore-fail-on-non-empty ${folders})
