// jpeg.c - JPEG out. libjpeg leaves by longjmp when it fails: nothing that it does not free itself is held across it but
// the buffer that it writes to, which the state owns.
#include "codec/picture.h"

#ifdef RA_HAVE_JPEG
// jpeglib.h needs FILE and size_t to be there.
#include <stddef.h>
#include <stdio.h>

#include <jpeglib.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE_MOST = 65500 };

typedef struct state {
  struct jpeg_compress_struct stream;
  struct jpeg_error_mgr errors;
  jmp_buf back;
  char message[JMSG_LENGTH_MAX];
  unsigned char *body;  // malloc'd by libjpeg
  unsigned long size;
} state;

static void leave(j_common_ptr info) {
  state *self = info->client_data;
  info->err->format_message(info, self->message);
  longjmp(self->back, 1);
}

static void keep_quiet(j_common_ptr info) { (void)info; }

static void write_rows(state *self, const uint8_t *rgba) {
  struct jpeg_compress_struct *stream = &self->stream;
  jpeg_start_compress(stream, TRUE);
  while (stream->next_scanline < stream->image_height) {
    size_t at = (size_t)stream->next_scanline * stream->image_width * 4;
    JSAMPROW row = (JSAMPROW)(uintptr_t)(rgba + at);  // it only reads
    jpeg_write_scanlines(stream, &row, 1);
  }
  jpeg_finish_compress(stream);
}

// False: libjpeg has left, and `message` says why.
static bool compress(state *self, const uint8_t *rgba, uint32_t width, uint32_t height, int quality) {
  if (setjmp(self->back)) return false;
  jpeg_create_compress(&self->stream);
  jpeg_mem_dest(&self->stream, &self->body, &self->size);
  self->stream.image_width = width;
  self->stream.image_height = height;
  self->stream.input_components = 4;
  self->stream.in_color_space = JCS_EXT_RGBX;
  jpeg_set_defaults(&self->stream);
  jpeg_set_quality(&self->stream, quality, TRUE);
  write_rows(self, rgba);
  return true;
}

int ra_jpeg_rgba(const uint8_t *rgba, uint32_t width, uint32_t height, int quality, ra_buf **out,
                 ra_err *err) {
  if (width < 1 || height < 1 || width > SIDE_MOST || height > SIDE_MOST) {
    return ra_fail(err, RA_E_INVALID, "jpg", "%u by %u pixels; 1 to %d a side are wanted", width,
                   height, SIDE_MOST);
  }
  state *self = calloc(1, sizeof *self);
  if (!self) return ra_fail(err, RA_E_NOMEM, "jpg", "out of memory for an image");
  self->stream.err = jpeg_std_error(&self->errors);
  self->stream.client_data = self;
  self->errors.error_exit = leave;
  self->errors.output_message = keep_quiet;
  bool done = compress(self, rgba, width, height, quality);
  int rc = done ? ra_buf_new(self->size, out, err)
                : ra_fail(err, RA_E_INTERNAL, "jpg", "libjpeg: %s", self->message);
  if (rc == RA_OK) memcpy(ra_buf_bytes(*out), self->body, self->size);
  jpeg_destroy_compress(&self->stream);
  free(self->body);
  free(self);
  return rc;
}
#else
int ra_jpeg_rgba(const uint8_t *rgba, uint32_t width, uint32_t height, int quality, ra_buf **out,
                 ra_err *err) {
  (void)rgba, (void)width, (void)height, (void)quality, (void)out;
  return ra_fail(err, RA_E_UNSUPPORTED, "jpg", "this build has no libjpeg; ask for png");
}
#endif
