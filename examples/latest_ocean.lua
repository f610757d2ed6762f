-- A named search: "latest_ocean" stands wherever a collection's id does, in /tiles/latest_ocean/…,
-- /api/timeseries?collection=latest_ocean and /stac/search?collections=latest_ocean.
local M = { name = "latest_ocean", api = 1,
  description = "the ocean's climate, north of the equator" }

M.searches = {
  latest_ocean = {
    title = "Ocean climate, the northern half",
    collections = { "ocean_climate" },
    bbox = { -180, 0, 180, 90 },
    limit = 10,
  },
}

return M
