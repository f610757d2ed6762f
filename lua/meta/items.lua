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
