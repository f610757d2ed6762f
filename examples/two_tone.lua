-- A colour ramp that a plugin declares: colormap_name=two_tone.
local M = { name = "two_tone", api = 1, description = "a ramp of two colours" }

M.ramps = { two_tone = { type = "linear", colors = { "#f7fbff", "#08306b" } } }

return M
