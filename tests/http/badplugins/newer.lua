return { name = "newer", api = 99 }
