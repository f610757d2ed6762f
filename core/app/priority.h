// priority.h - how far this process gives way to others.
#pragma once

// As nice does, 0 to 19; from 10 on it also waits for the disk until nobody else wants it. Before any thread is started:
// they inherit it. What the system refuses is left as it is.
void ra_priority_lower(int nice_value);
