---@meta

---A map tile. sources = {{dataset=, variable=, step=}, …}, first valid pixel wins; bands
---(zero-based), z, x, y, size, resampling, unscale, nodata, rescale = {low, high}, ramp, format =
---"png"|"jpg"|"webp"|"npy"|"tif", bits = 8|16, return_mask, buffer (half pixels), color_formula,
---of another tile matrix set crs (a definition), left, top and pixel (in its units) as well;
---expression and its operands = {{first=, count=, band=}, …} (of the sources, counted from 1).
---@param options table
---@return rastrum.Buffer|nil
---@return rastrum.Error|nil
function rastrum.tile(options) end

---A time series. collection, variables = {{part, …}, …}, points = {{lon, lat}, …}, method, format =
---"json"|"csv"|"covjson", max_bytes.
---@param options table
---@return rastrum.Buffer|nil
---@return rastrum.Error|nil
function rastrum.series(options) end

---Values at one place, from the map layout. sources, bands, lon, lat, unscale.
---@param options table
---@return rastrum.Buffer|nil
---@return rastrum.Error|nil
function rastrum.point(options) end
