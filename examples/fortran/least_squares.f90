! The gradient of |X w - y|² by the tape, over Fortran's own arrays, beside the formula 2 Xᵀ (X w - y).
! gfortran tapegrad.f90 least_squares.f90 $(pkg-config --libs tapegrad)
program least_squares
  use tapegrad
  implicit none
  integer, parameter :: rows = 6, columns = 3
  real(c_double), target :: x(rows, columns), w(columns), y(rows), gradient(columns), formula(columns), loss
  type(c_ptr) :: tx, tw, ty, product, residual, squares, total, grad
  integer :: step

  if (tg_abi_version() /= tg_abi) error stop 'another tapegrad than this module is for'
  call random_number(x)
  call random_number(y)
  w = 0
  tx = tensor_over(x, [rows, columns])
  ty = tensor_over(y, [rows])
  do step = 0, 200
    tw = tensor_over(w, [columns])
    call must(tg_set_requires_grad(tw, 1_c_int32_t))
    product = op('matmul', tx, tw)
    residual = op('sub', product, ty)
    squares = op('square', residual)
    total = op('sum', squares)
    call must(tg_tensor_item(total, loss))
    call must(tg_backward(total, c_null_ptr, 0_c_int32_t, 0_c_int32_t))
    call must(tg_grad(tw, grad))
    call must(tg_tensor_read(grad, c_loc(gradient), 8_c_int64_t * columns))
    formula = 2 * matmul(transpose(x), matmul(x, w) - y)
    if (maxval(abs(gradient - formula)) > 1d-12) error stop 'the gradient is not the formula''s'
    if (mod(step, 50) == 0) print '(a,i4,a,f10.6)', ' step', step, '  loss', loss
    call tg_tensor_free(product)
    call tg_tensor_free(residual)
    call tg_tensor_free(squares)
    call tg_tensor_free(total)
    call tg_tensor_free(grad)
    call tg_tensor_free(tw)
    w = w - 0.1d0 * gradient  ! Fortran's array: the tensor of the next step sees it
  end do
  call tg_tensor_free(tx)
  call tg_tensor_free(ty)
  print '(a)', ' the gradients are the formula''s'
end program
