return { mine = true }
