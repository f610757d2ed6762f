// versions.c - the versions of the libraries that read source files.
#include <hdf5.h>
#include <netcdf.h>
#include <string.h>

#include "source/source.h"

void ra_source_versions(ra_str *out) {
  const char *netcdf = nc_inq_libvers();
  unsigned major = 0, minor = 0, release = 0;
  H5get_libversion(&major, &minor, &release);
  ra_str_addf(out, "netCDF %.*s, HDF5 %u.%u.%u", (int)strcspn(netcdf, " "), netcdf, major, minor,
              release);
}
