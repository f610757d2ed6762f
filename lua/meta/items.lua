---@meta

---A page of STAC items, as the text of a JSON list. datasets, segments (the version of the segment
---that holds each, or ""), base_url, first, last, ids, bbox,
---intersects, sortby, token, limit, max_bytes, fields: see plugins/stac.
---@param options table
---@return rastrum.Buffer|nil
---@return table|rastrum.Error  {count=, matched=, next=}
function rastrum.items(options) end

---All times of a variable, each with its version, as JSON text. datasets (the latest published first), collection, variable,
---generation, first, last.
---@param options table
---@return rastrum.Buffer|nil
---@return rastrum.Error|nil
function rastrum.times(options) end

---Which steps make up a series of a variable: of equal times the one of the highest priority, then of the latest run, then
---of the latest published. run: a reference time, only whose steps count.
---@param variable string
---@param sources table[]  {dataset, priority, published}
---@param run string|nil
---@return number[][]|nil  {place in sources, first step, number of steps}, in time order
---@return rastrum.Error|nil
function rastrum.pick(variable, sources, run) end
