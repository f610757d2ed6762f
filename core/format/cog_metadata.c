// cog_metadata.c - GDAL_METADATA (XML) and GDAL_NODATA of a COG.
#include <math.h>

#include "format/cog_impl.h"
#include "raster/stats.h"

// GDAL escapes values twice, and undoes it twice when it reads.
static void add_escaped(ra_str *out, const char *text) {
  for (; *text; text++) {
    switch (*text) {
      case '&': ra_str_add(out, "&amp;amp;"); break;
      case '<': ra_str_add(out, "&amp;lt;"); break;
      case '>': ra_str_add(out, "&amp;gt;"); break;
      case '"': ra_str_add(out, "&amp;quot;"); break;
      default:
        if ((unsigned char)*text >= 0x20) ra_str_add_char(out, *text);
        break;
    }
  }
}

// role NULL: none.
static void open_item(ra_str *out, const char *name, unsigned band, const char *role) {
  ra_str_addf(out, "  <Item name=\"%s\" sample=\"%u\"", name, band);
  if (role) ra_str_addf(out, " role=\"%s\"", role);
  ra_str_add_char(out, '>');
}

static void add_number(ra_str *out, const char *name, unsigned band, const char *role, double value) {
  open_item(out, name, band, role);
  ra_str_add_double(out, value);
  ra_str_add(out, "</Item>\n");
}

static void add_text(ra_str *out, const char *name, unsigned band, const char *role,
                     const char *text) {
  if (!text || !*text) return;
  open_item(out, name, band, role);
  add_escaped(out, text);
  ra_str_add(out, "</Item>\n");
}

static void add_stats(ra_str *out, unsigned band, const ra_stats *stats) {
  if (stats->count) {
    add_number(out, "STATISTICS_MAXIMUM", band, NULL, stats->max);
    add_number(out, "STATISTICS_MEAN", band, NULL, stats->mean);
    add_number(out, "STATISTICS_MINIMUM", band, NULL, stats->min);
    add_number(out, "STATISTICS_STDDEV", band, NULL, ra_stats_stddev(stats));
  }
  open_item(out, "STATISTICS_VALID_PERCENT", band, NULL);
  double share = stats->total ? 100.0 * (double)stats->count / (double)stats->total : 0;
  ra_str_addf(out, "%.4g</Item>\n", share);
}

void ra__cog_metadata(const ra__cog_writer *w, ra_str *out) {
  const ra_cog_spec *spec = w->spec;
  ra_str_add(out, "<GDALMetadata>\n");
  for (unsigned band = 0; band < spec->bands; band++) {
    add_stats(out, band, &w->stats[band]);
    if (spec->band_names) {
      add_text(out, "DESCRIPTION", band, "description", spec->band_names[band]);
    }
    if (spec->scale != 1 || spec->offset != 0) {
      add_number(out, "OFFSET", band, "offset", spec->offset);
      add_number(out, "SCALE", band, "scale", spec->scale);
    }
    add_text(out, "UNITTYPE", band, "unittype", spec->unit);
  }
  ra_str_add(out, "</GDALMetadata>\n");
}

void ra__cog_nodata_text(double nodata, ra_str *out) {
  if (isnan(nodata)) {
    ra_str_add(out, "nan");
  } else if (isinf(nodata)) {
    ra_str_add(out, nodata > 0 ? "inf" : "-inf");
  } else {
    ra_str_add_double(out, nodata);
  }
}
