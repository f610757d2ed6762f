---@meta
-- The shapes that plugins meet. Stubs: for editors and for the spec that compares them with the
-- program; never run.

---What went wrong in the world: the second value of `nil, err`. tostring(err) is a sentence.
---@class rastrum.Error
---@field code string  "invalid", "not_found", "too_big", "busy", "io", "corrupt", "unsupported", "conflict", "timeout", …
---@field message string
---@field where string
---@field retry boolean

---@class rastrum.Request
---@field method string
---@field path string  as it was sent
---@field query string  as it was sent
---@field route string  the route's template
---@field params table<string, any>  checked and typed, with defaults
---@field given table<string, boolean>  which of the query's parameters were given
---@field headers table<string, string>  lower-case names
---@field body rastrum.Buffer|nil
---@field json any  the decoded body where the route declares one
---@field id string
---@field base_url string  what absolute links begin with

---@class rastrum.Response
---@field status integer|nil  200 when absent
---@field type string|nil
---@field headers table<string, string|number>|nil
---@field body string|rastrum.Buffer|nil
---@field file rastrum.File|nil  instead of body; first and last choose a range
---@field first integer|nil
---@field last integer|nil
---@field compress boolean|nil  text: gzip when the client takes it

---C memory of the running task: closed at its end unless kept.
---@class rastrum.Handle
---@field keep fun(self): self
---@field close fun(self)

---@class rastrum.Buffer: rastrum.Handle
---@field size fun(self): integer
---@field text fun(self): string  at most 16 MiB

---@class rastrum.File: rastrum.Handle
---@field size fun(self): integer

---@class rastrum.Ramp: rastrum.Handle
---@field digest fun(self): string
---@field kind fun(self): string
---@field json fun(self): string
---@field png fun(self, width: integer, height: integer, vertical: boolean): rastrum.Buffer|nil, rastrum.Error|nil
---@field reversed fun(self): rastrum.Ramp|nil, rastrum.Error|nil
---@field entries fun(self): {low: number?, high: number?, color: string, label: string?}[]
---@field marks fun(self): {below: string?, above: string?, missing: string?}
---@field range fun(self): number?, number?  the values that a linear ramp was made for
---@field legend fun(self, options: table): rastrum.Buffer|nil, rastrum.Error|nil

---@class rastrum.Expression: rastrum.Handle
---@field names fun(self): string[]  what it names, in the order of rastrum.tile's operands
---@field results fun(self): integer

---An operation that is not started; used once, by rastrum.all.
---@class rastrum.Operation: rastrum.Handle

---@class rastrum.Database: rastrum.Handle
---@field query fun(self, sql: string, ...): table[]|nil, rastrum.Error|nil
---@field transaction fun(self, statements: table[]): integer[]|nil, rastrum.Error|nil

---@class rastrum.Dataset: rastrum.Handle
---@field id fun(self): string
---@field collection fun(self): string
---@field version fun(self): string
---@field zarr_format fun(self): integer
---@field body fun(self): string
---@field store fun(self): string|nil  the key of its Zarr store below the version
---@field bbox fun(self): number[]
---@field geometry fun(self): string
---@field variables fun(self): table[]
---@field variable fun(self, name: string): table|nil
---@field signature fun(self): string
---@field kind fun(self): string|nil
---@field steps_per_axis fun(self): integer[]
---@field about fun(self): table
---@field cube fun(self): string
---@field extra_index fun(self, variable: string, dimension: string, value: string): integer|nil, rastrum.Error|nil
---@field items fun(self): integer
---@field item fun(self, i: integer): table|nil
---@field find_item fun(self, id: string): integer|nil
---@field item_step fun(self, variable: string, i: integer): integer|nil
---@field lower fun(self, ms: number): integer
---@field span fun(self): number|nil, number|nil
---@field find_step fun(self, variable: string, time?: string, mode?: string, run?: string): integer?, number?, number?, number?
---@field runs fun(self, variable: string): {ms: number, time: string}[]
---@field other_runs fun(self, variable: string, step: integer): number[][]
---@field steps fun(self, variable: string, interval: string): integer[]|nil, rastrum.Error|nil
---@field times fun(self, variable: string): table|nil

---The effective configuration, a copy of the plugin's own; of `plugin_settings` it has its own alone.
---@type table<string, any>
rastrum.config = {}

---"serve", "ingest" or "cli"
---@type string
rastrum.role = ""

---@type string
rastrum.version = ""

---The unstarted forms of all operations: rastrum.op.sleep(ms), rastrum.op.sql.query(db, sql), …
---@type table
rastrum.op = {}
