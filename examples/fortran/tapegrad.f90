! tapegrad for Fortran: the C interface (tapegrad/c.h) as far as the example needs it, and a few words that make it shorter.
module tapegrad
  use, intrinsic :: iso_c_binding
  implicit none

  integer(c_int32_t), parameter :: tg_abi = 1, tg_float32 = 8, tg_float64 = 9

  type, bind(c) :: tg_value  ! an argument of an op
    type(c_ptr) :: name
    integer(c_int32_t) :: kind, count
    integer(c_int64_t) :: whole
    real(c_double) :: number, imag
    type(c_ptr) :: data
  end type

  interface
    integer(c_int32_t) function tg_abi_version() bind(c)
      import
    end function
    type(c_ptr) function tg_last_error() bind(c)
      import
    end function
    integer(c_int32_t) function tg_tensor_borrow(data, dtype, ndim, shape, strides, deleter, context, out) bind(c)
      import
      type(c_ptr), value :: data, context
      type(c_funptr), value :: deleter
      integer(c_int32_t), value :: dtype, ndim
      integer(c_int64_t), intent(in) :: shape(*), strides(*)
      type(c_ptr), intent(out) :: out
    end function
    subroutine tg_tensor_free(t) bind(c)
      import
      type(c_ptr), value :: t
    end subroutine
    integer(c_int32_t) function tg_tensor_item(t, out) bind(c)
      import
      type(c_ptr), value :: t
      real(c_double), intent(out) :: out
    end function
    integer(c_int32_t) function tg_tensor_read(t, values, bytes) bind(c)
      import
      type(c_ptr), value :: t, values
      integer(c_int64_t), value :: bytes
    end function
    type(tg_value) function tg_arg_tensor(t) bind(c)
      import
      type(c_ptr), value :: t
    end function
    type(tg_value) function tg_arg_float(v) bind(c)
      import
      real(c_double), value :: v
    end function
    integer(c_int32_t) function tg_call(op, args, n_args, res) bind(c)
      import
      character(kind=c_char), intent(in) :: op(*)
      type(tg_value), intent(in) :: args(*)
      integer(c_int32_t), value :: n_args
      type(c_ptr), intent(out) :: res
    end function
    integer(c_int32_t) function tg_set_requires_grad(t, on) bind(c)
      import
      type(c_ptr), value :: t
      integer(c_int32_t), value :: on
    end function
    integer(c_int32_t) function tg_backward(t, gradient, retain_graph, create_graph) bind(c)
      import
      type(c_ptr), value :: t, gradient
      integer(c_int32_t), value :: retain_graph, create_graph
    end function
    integer(c_int32_t) function tg_grad(t, out) bind(c)
      import
      type(c_ptr), value :: t
      type(c_ptr), intent(out) :: out
    end function
  end interface

  interface op  ! op("exp", x), op("matmul", a, b)
    module procedure op_1, op_2
  end interface

contains

  subroutine must(status)
    integer(c_int32_t), intent(in) :: status
    character(kind=c_char), pointer :: text(:)
    integer :: n
    if (status == 0) return
    call c_f_pointer(tg_last_error(), text, [4096])
    n = 1
    do while (text(n) /= c_null_char .and. n < 4096)
      write (*, '(a)', advance='no') text(n)
      n = n + 1
    end do
    print *
    error stop 1
  end subroutine

  ! A tensor over a vector or a matrix as Fortran keeps it: column by column, no copy.
  type(c_ptr) function tensor_over(values, shape)
    real(c_double), target, intent(in) :: values(*)
    integer, intent(in) :: shape(:)
    integer(c_int64_t) :: sizes(size(shape)), strides(size(shape))
    integer :: k
    sizes = shape
    strides(1) = 1
    do k = 2, size(shape)
      strides(k) = strides(k - 1) * sizes(k - 1)
    end do
    call must(tg_tensor_borrow(c_loc(values), tg_float64, int(size(shape), c_int32_t), sizes, strides, &
                               c_null_funptr, c_null_ptr, tensor_over))
  end function

  type(c_ptr) function op_1(name, a)
    character(*), intent(in) :: name
    type(c_ptr), intent(in) :: a
    call must(tg_call(name//c_null_char, [tg_arg_tensor(a)], 1_c_int32_t, op_1))
  end function

  type(c_ptr) function op_2(name, a, b)
    character(*), intent(in) :: name
    type(c_ptr), intent(in) :: a, b
    call must(tg_call(name//c_null_char, [tg_arg_tensor(a), tg_arg_tensor(b)], 2_c_int32_t, op_2))
  end function

end module
