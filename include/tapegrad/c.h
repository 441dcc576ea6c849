/* The C interface, for C, Fortran, Rust, Julia and all that can call C. Compiles as C89 and as C++. docs/c_api.md is the manual.
 *
 * Tensors and lists are handles: whoever gets one through a `**` or as a result frees it, and freeing NULL does nothing. Arguments
 * are borrowed for the call. A function that can fail returns a status; the text is tg_last_error() of the same thread. Handles
 * may be used from any thread, one at a time. Nothing here throws, exits or prints.
 *
 *   tg_tensor *x = NULL, *y = NULL;
 *   tg_value args[2];
 *   if (tg_tensor_copy(data, TG_FLOAT32, 2, shape, &x) != TG_OK) puts(tg_last_error());
 *   args[0] = tg_arg_tensor(x);
 *   args[1] = tg_named("dim", tg_arg_int(1));
 *   if (tg_call("softmax", args, 2, &y) != TG_OK) puts(tg_last_error());
 */
#ifndef TAPEGRAD_C_H
#define TAPEGRAD_C_H

#include <stdint.h>

#if defined(__GNUC__)
#define TG_C_API __attribute__((visibility("default")))
#else
#define TG_C_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Goes up when a declaration below changes or goes away; not when some are added. */
#define TG_ABI_VERSION 1
/* The release that this header belongs to. */
#define TG_VERSION "0.1.0"
/* The same of the library that was loaded. */
TG_C_API int32_t tg_abi_version(void);
TG_C_API const char *tg_version(void);

/* ---- errors ------------------------------------------------------------------------------------------------------------- */

typedef int32_t tg_status;
enum {
  TG_OK = 0,
  TG_ERROR = 1,           /* none of these */
  TG_SHAPE_ERROR = 2,
  TG_DTYPE_ERROR = 3,
  TG_VALUE_ERROR = 4,
  TG_INDEX_ERROR = 5,
  TG_DEVICE_ERROR = 6,
  TG_GRAD_ERROR = 7,
  TG_OUT_OF_MEMORY = 8,
  TG_NOT_IMPLEMENTED = 9,
  TG_LINALG_ERROR = 10,   /* a matrix is singular, not positive definite, ... */
  TG_IO_ERROR = 11,
  TG_NULL_ARGUMENT = 12,  /* NULL where something is needed */
  TG_UNKNOWN_OP = 13,
  TG_ARGUMENT_ERROR = 14  /* no form of the op takes these arguments; the text lists its forms */
};
/* What went wrong last in this thread; "" when nothing did. Valid until this thread's next call that fails. */
TG_C_API const char *tg_last_error(void);

/* ---- tensors ------------------------------------------------------------------------------------------------------------ */

typedef struct tg_tensor tg_tensor;

/* Element types. 16-bit floats are 2 bytes, complex numbers two floats, bools one byte of 0 or 1. */
enum {
  TG_BOOL = 0,
  TG_UINT8 = 1,
  TG_INT8 = 2,
  TG_INT16 = 3,
  TG_INT32 = 4,
  TG_INT64 = 5,
  TG_FLOAT16 = 6,
  TG_BFLOAT16 = 7,
  TG_FLOAT32 = 8,
  TG_FLOAT64 = 9,
  TG_COMPLEX64 = 10,
  TG_COMPLEX128 = 11,
  TG_UINT16 = 12,
  TG_UINT32 = 13,
  TG_UINT64 = 14
};

/* A new tensor with a copy of these values, row by row; shape may be NULL when ndim is 0. */
TG_C_API tg_status tg_tensor_copy(const void *data, int32_t dtype, int32_t ndim, const int64_t *shape, tg_tensor **out);
/* A tensor over memory of yours, no copy. Strides count elements; NULL: row by row ({1, rows} is Fortran's order). The memory must
 * stay until deleter(context) is called, when the last tensor over it dies; deleter may be NULL. When this fails it is not called. */
TG_C_API tg_status tg_tensor_borrow(void *data, int32_t dtype, int32_t ndim, const int64_t *shape, const int64_t *strides,
                                    void (*deleter)(void *context), void *context, tg_tensor **out);
/* A second handle to the same tensor. NULL for NULL. */
TG_C_API tg_tensor *tg_tensor_share(const tg_tensor *t);
TG_C_API void tg_tensor_free(tg_tensor *t);

/* Of NULL: -1 and NULL. shape, strides and data live as long as the tensor. */
TG_C_API int32_t tg_tensor_dtype(const tg_tensor *t);
TG_C_API int32_t tg_tensor_ndim(const tg_tensor *t);
TG_C_API int64_t tg_tensor_numel(const tg_tensor *t);
TG_C_API const int64_t *tg_tensor_shape(const tg_tensor *t);
TG_C_API const int64_t *tg_tensor_strides(const tg_tensor *t);
TG_C_API void *tg_tensor_data(const tg_tensor *t);

/* The values, row by row whatever the strides, from or into memory of exactly numel * (bytes of one). Writing is not recorded. */
TG_C_API tg_status tg_tensor_read(const tg_tensor *t, void *values, int64_t bytes);
TG_C_API tg_status tg_tensor_write(tg_tensor *t, const void *values, int64_t bytes);
/* The only element as a double. */
TG_C_API tg_status tg_tensor_item(const tg_tensor *t, double *out);
/* Writes what Python prints into text, at most room bytes with the closing 0; *length gets the whole length without it. */
TG_C_API tg_status tg_tensor_text(const tg_tensor *t, char *text, int64_t room, int64_t *length);

/* ---- lists: several tensors, each with a name or "" ------------------------------------------------------------------------ */

typedef struct tg_list tg_list;

TG_C_API int64_t tg_list_count(const tg_list *list);                       /* -1 of NULL */
TG_C_API const char *tg_list_name(const tg_list *list, int64_t i);         /* NULL when there is no i; lives as long as the list */
TG_C_API tg_tensor *tg_list_tensor(const tg_list *list, int64_t i);        /* a new handle; NULL when there is no i */
TG_C_API tg_tensor *tg_list_find(const tg_list *list, const char *name);   /* a new handle; NULL when there is none */
TG_C_API void tg_list_free(tg_list *list);

/* ---- ops by name ---------------------------------------------------------------------------------------------------------- */

enum {
  TG_KIND_NONE = 0,     /* as Python's None */
  TG_KIND_TENSOR = 1,   /* data: a tensor */
  TG_KIND_TENSORS = 2,  /* data: an array of `count` tensors */
  TG_KIND_INT = 3,      /* integer */
  TG_KIND_FLOAT = 4,    /* number */
  TG_KIND_BOOL = 5,     /* integer */
  TG_KIND_COMPLEX = 6,  /* number, imag */
  TG_KIND_INTS = 7,     /* data: an array of `count` int64_t */
  TG_KIND_FLOATS = 8,   /* data: an array of `count` double */
  TG_KIND_TEXT = 9,     /* data: a string that ends with 0; also devices ("cpu") and memory formats ("channels_last") */
  TG_KIND_DTYPE = 10    /* integer */
};
/* One argument. No union, so that it reads the same in every language; fill it by hand or with the functions below. */
typedef struct tg_value {
  const char *name;     /* of the parameter; NULL: by position */
  int32_t kind;
  int32_t count;
  int64_t integer;
  double number;
  double imag;
  const void *data;     /* borrowed */
} tg_value;

TG_C_API tg_value tg_arg_none(void);
TG_C_API tg_value tg_arg_tensor(const tg_tensor *t); /* NULL: none */
TG_C_API tg_value tg_arg_tensors(const tg_tensor *const *tensors, int32_t count);
TG_C_API tg_value tg_arg_int(int64_t v);
TG_C_API tg_value tg_arg_float(double v);
TG_C_API tg_value tg_arg_bool(int32_t v);
TG_C_API tg_value tg_arg_complex(double re, double im);
TG_C_API tg_value tg_arg_ints(const int64_t *ints, int32_t count);
TG_C_API tg_value tg_arg_floats(const double *numbers, int32_t count);
TG_C_API tg_value tg_arg_text(const char *text);
TG_C_API tg_value tg_arg_dtype(int32_t dtype);
/* The same by keyword. */
TG_C_API tg_value tg_named(const char *name, tg_value v);

/* Calls an op of docs/ops.md: "add", "add_", "linalg.solve", "nll_loss". Arguments by position come first. What is not given gets
 * its default. A number that an op returns comes as a 0-d tensor. The op must give one result; result may be NULL. */
TG_C_API tg_status tg_call(const char *op, const tg_value *args, int32_t n_args, tg_tensor **result);
/* The same for any number of results; names are those of the fields: "values", "indices". */
TG_C_API tg_status tg_call_list(const char *op, const tg_value *args, int32_t n_args, tg_list **results);
/* All forms of all ops, "add(Tensor input, Tensor|Number other, *, Scalar alpha=1)", and what they do. NULL beyond the last. */
TG_C_API const char *tg_op_signature(int64_t i);
TG_C_API const char *tg_op_doc(int64_t i);

/* ---- autograd ------------------------------------------------------------------------------------------------------------- */

TG_C_API tg_status tg_set_requires_grad(tg_tensor *t, int32_t on);
TG_C_API int32_t tg_requires_grad(const tg_tensor *t); /* 0, 1; -1 of NULL */
/* Adds the gradients of t to its leaves. gradient: NULL stands for 1, and t must then have one element. */
TG_C_API tg_status tg_backward(const tg_tensor *t, const tg_tensor *gradient, int32_t retain_graph, int32_t create_graph);
/* *out gets NULL where there is no gradient. */
TG_C_API tg_status tg_grad(const tg_tensor *t, tg_tensor **out);
/* NULL takes it away. */
TG_C_API tg_status tg_set_grad(tg_tensor *t, const tg_tensor *gradient);
/* Between the two nothing is recorded in this thread. leave gets what enter returned. */
TG_C_API int32_t tg_no_grad_enter(void);
TG_C_API void tg_no_grad_leave(int32_t before);

/* ---- files, settings -------------------------------------------------------------------------------------------------------- */

/* A safetensors file, whole or not at all. */
TG_C_API tg_status tg_save(const char *path, const char *const *names, const tg_tensor *const *tensors, int64_t count);
TG_C_API tg_status tg_load(const char *path, tg_list **out);

TG_C_API tg_status tg_manual_seed(uint64_t seed);
TG_C_API int32_t tg_num_threads(void);
TG_C_API tg_status tg_set_num_threads(int32_t n);

#ifdef __cplusplus
}
#endif

#endif
