---@meta

---Joins the steps of several datasets into one store, <collection>/segments/<version>. Only jobs may.
---options: {collection=, version=, created=, memory=, jobs=, members=}; each member: {store = a handle
---that the steps are read from, dataset=, version=, first = {of each axis}, count = {of each axis}}.
---@param options table
---@return {body: string, members: string, bytes: number, objects: number}|nil
---@return rastrum.Error|nil
function rastrum.segment.write(options) end
