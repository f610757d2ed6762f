// Longitude and latitude to the unit world: x from 0 at 180° W to 1 at 180° E, y down from 0 at the
// top edge. Tiles of level L are 2^-L wide in both projections; their zoom in the tile matrix set
// is L - `behind`.
const rad = Math.PI / 180;

export const wrap = (lon) => ((((lon + 180) % 360) + 360) % 360) - 180;

export const PROJECTIONS = {
  mercator: {
    name: "mercator",
    title: "Web Mercator",
    tms: "",
    behind: 0,
    height: 1,
    top: 85.0511287798066,
    x: (lon) => (lon + 180) / 360,
    y(lat) {
      const s = Math.sin(Math.max(-this.top, Math.min(this.top, lat)) * rad);
      return 0.5 - Math.log((1 + s) / (1 - s)) / (4 * Math.PI);
    },
    lon: (x) => x * 360 - 180,
    lat: (y) => Math.atan(Math.sinh(Math.PI * (1 - 2 * y))) / rad,
  },
  degrees: {
    name: "degrees",
    title: "Longitude and latitude, poles included",
    tms: "WorldCRS84Quad/",
    behind: 1,
    height: 0.5,
    top: 90,
    x: (lon) => (lon + 180) / 360,
    y: (lat) => (90 - lat) / 360,
    lon: (x) => x * 360 - 180,
    lat: (y) => 90 - y * 360,
  },
};
