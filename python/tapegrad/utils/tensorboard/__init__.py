"""SummaryWriter: files that TensorBoard reads, written without TensorBoard, protobuf or TensorFlow."""
from .writer import FileWriter, SummaryWriter  # noqa: F401
