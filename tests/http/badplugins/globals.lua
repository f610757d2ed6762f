leaked = 1
return { name = "globals", api = 1 }
