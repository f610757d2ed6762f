// multiscales.h - pyramids in Zarr stores: which groups (or arrays) hold one thing at several resolutions, by the attribute
// `multiscales` of the group above them: GeoZarr's convention (`layout` of assets or groups), OME's and ndpyramid's list of
// `datasets`, and GeoZarr's older tile matrix sets, whose matrices name the groups. Any thread.
#pragma once
#include "base/arena.h"
#include "source/zarr_tree.h"

enum { RA_MULTISCALES = 24 };

// The names of a group's levels, below it, from the finest to the coarsest: those that the tree has. Texts are in the
// arena. How many; -1 without memory.
int ra_multiscales_names(const ra_zarr_tree *tree, const ra_zarr_node *group, ra_arena *arena,
                         const char *names[RA_MULTISCALES]);

// The copies of an array at the coarser levels of its pyramid, from fine to coarse; an array that is in no pyramid, or is
// itself a coarse copy, has none. How many; -1 without memory.
int ra_multiscales_of(const ra_zarr_tree *tree, const char *path, ra_arena *arena,
                      const ra_zarr_node *levels[RA_MULTISCALES]);
