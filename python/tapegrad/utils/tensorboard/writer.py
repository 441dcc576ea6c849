"""FileWriter appends events to one file; SummaryWriter is what programs use."""
import itertools
import os
import socket
import time
import weakref

from ... import _C
from . import media, projector, summary, wire

__all__ = ["FileWriter", "SummaryWriter"]

_counter = itertools.count()


class FileWriter:
    """One event file in log_dir. Records reach the disk after max_queue of them, after flush_secs, or by flush()."""

    def __init__(self, log_dir, max_queue=10, flush_secs=120, filename_suffix=""):
        self._log_dir, self._max_queue, self._flush_secs, self._suffix = os.fspath(log_dir), max_queue, flush_secs, filename_suffix
        self._open()

    def _open(self):
        os.makedirs(self._log_dir, exist_ok=True)
        now = time.time()
        name = f"events.out.tfevents.{int(now)}.{socket.gethostname()}.{os.getpid()}.{next(_counter)}{self._suffix}"
        self._file = open(os.path.join(self._log_dir, name), "ab")
        self._finalizer = weakref.finalize(self, self._file.close)
        self._waiting, self._flushed = 0, now
        self._put(wire.double(1, now) + wire.text(3, "brain.Event:2"))
        self.flush()

    def get_logdir(self):
        """The folder."""
        return self._log_dir

    def _put(self, event):
        if self._file.closed:
            self._open()
        self._file.write(wire.record(event))
        self._waiting += 1
        if self._waiting >= self._max_queue or time.time() - self._flushed > self._flush_secs:
            self.flush()

    def add_event(self, content, step=None, walltime=None):
        """One event of these fields."""
        step = b"" if step is None else wire.integer(2, int(step))
        self._put(wire.double(1, time.time() if walltime is None else walltime) + step + content)

    def add_summary(self, value, global_step=None, walltime=None):
        """One event with the value that a function of summary.py gave."""
        self.add_event(wire.message(5, wire.message(1, value)), global_step, walltime)

    def flush(self):
        """Hands all that is waiting to the system."""
        if not self._file.closed:
            self._file.flush()
        self._waiting, self._flushed = 0, time.time()

    def close(self):
        """Writes the rest and closes the file; a later event opens a new one."""
        self._finalizer()

    def reopen(self):
        """Begins a new file after close()."""
        if self._file.closed:
            self._open()


def _missing(name, instead):
    def method(self, *args, **kwargs):
        raise NotImplementedError(f"SummaryWriter.{name} is not implemented; {instead}")
    method.__name__, method.__doc__ = name, f"Not implemented: {instead}."
    return method


class SummaryWriter:
    """Writes what TensorBoard shows into event files of a folder.

    Args:
        log_dir: the folder; runs/DATE_TIME_HOST and comment when left out.
        purge_step: a run that continues at this step hides what an earlier one wrote from there on.
        max_queue, flush_secs: how much, and how long, may wait in memory.
        filename_suffix: end of the file's name.
    """

    def __init__(self, log_dir=None, comment="", purge_step=None, max_queue=10, flush_secs=120, filename_suffix=""):
        if not log_dir:
            log_dir = os.path.join("runs", time.strftime("%b%d_%H-%M-%S") + "_" + socket.gethostname() + comment)
        self.log_dir, self._options = os.fspath(log_dir), (max_queue, flush_secs, filename_suffix)
        self.file_writer, self.all_writers, self._embeddings = FileWriter(self.log_dir, *self._options), {}, ""
        if purge_step is not None:
            self.file_writer.add_event(wire.message(7, wire.integer(1, 1)), purge_step)

    def get_logdir(self):
        """The folder that files are written to."""
        return self.log_dir

    def _add(self, value, step, walltime):
        if isinstance(step, _C.Tensor):
            step = step.item()
        self.file_writer.add_summary(value, step, walltime)

    def add_scalar(self, tag, scalar_value, global_step=None, walltime=None, new_style=False, double_precision=False):
        """One number; new_style and double_precision store it as a tensor."""
        self._add(summary.scalar(tag, scalar_value, new_style, double_precision), global_step, walltime)

    def add_scalars(self, main_tag, tag_scalar_dict, global_step=None, walltime=None):
        """Several numbers in one plot; each gets a run of its own below the folder."""
        for name, value in tag_scalar_dict.items():
            folder = os.path.join(self.log_dir, main_tag.replace("/", "_") + "_" + name)
            if folder not in self.all_writers:
                self.all_writers[folder] = FileWriter(folder, *self._options)
            self.all_writers[folder].add_summary(summary.scalar(main_tag, value), global_step, walltime)

    def add_tensor(self, tag, tensor, global_step=None, walltime=None):
        """A tensor as such."""
        self._add(summary.tensor(tag, tensor), global_step, walltime)

    def add_histogram(self, tag, values, global_step=None, bins="tensorflow", walltime=None, max_bins=None):
        """How the values are distributed."""
        self._add(summary.histogram(tag, values, bins, max_bins), global_step, walltime)

    def add_histogram_raw(self, tag, min, max, num, sum, sum_squares, bucket_limits, bucket_counts, global_step=None, walltime=None):
        """A histogram counted elsewhere."""
        self._add(summary.histogram_raw(tag, min, max, num, sum, sum_squares, bucket_limits, bucket_counts), global_step, walltime)

    def add_image(self, tag, img_tensor, global_step=None, walltime=None, dataformats="CHW"):
        """An image: uint8, or floats from 0 to 1, of 1, 3 or 4 channels."""
        self._add(media.image(tag, img_tensor, dataformats), global_step, walltime)

    def add_images(self, tag, img_tensor, global_step=None, walltime=None, dataformats="NCHW"):
        """Images in a grid of up to 8 columns; a list of them too."""
        if isinstance(img_tensor, (list, tuple)) and dataformats.upper() != "CHW" and len(dataformats) == 4:
            img_tensor = _C.stack([media.as_tensor(x) for x in img_tensor])
        self.add_image(tag, img_tensor, global_step, walltime, dataformats)

    def add_video(self, tag, vid_tensor, global_step=None, fps=4, walltime=None):
        """Videos (N, T, C, H, W) of uint8, or floats from 0 to 1, side by side: an animated GIF of 252 colours."""
        self._add(media.video(tag, vid_tensor, fps), global_step, walltime)

    def add_figure(self, tag, figure, global_step=None, close=True, walltime=None):
        """A figure of matplotlib, or a list of them in a grid."""
        import io
        figures = figure if isinstance(figure, (list, tuple)) else [figure]
        images = [_rendered(f, io.BytesIO()) for f in figures]
        image = images[0] if len(images) == 1 else media.as_image(_C.stack(images), "NHWC")
        self.add_image(tag, image, global_step, walltime, "HWC")
        if close:
            from matplotlib import pyplot
            for f in figures:
                pyplot.close(f)

    def add_audio(self, tag, snd_tensor, global_step=None, sample_rate=44100, walltime=None):
        """A mono sound, samples from -1 to 1."""
        self._add(media.audio(tag, snd_tensor, sample_rate), global_step, walltime)

    def add_text(self, tag, text_string, global_step=None, walltime=None):
        """Markdown."""
        self._add(summary.text(tag, text_string), global_step, walltime)

    def add_graph(self, model, input_to_model=None, verbose=False, use_strict_trace=True):
        """The model's operations, by module: it is run once on input_to_model (a tensor, or a tuple of arguments)."""
        from .graph import graph
        if input_to_model is None:
            raise ValueError("add_graph: input_to_model is needed, since the model is run to see its operations")
        self.file_writer.add_event(wire.message(4, graph(model, input_to_model)))

    def add_embedding(self, mat, metadata=None, label_img=None, global_step=None, tag="default", metadata_header=None):
        """Points (n, dims) for the projector, with a label and an image for each."""
        self._embeddings += projector.add_embedding(self.log_dir, mat, metadata, label_img, global_step, tag, metadata_header)
        with open(os.path.join(self.log_dir, "projector_config.pbtxt"), "w", encoding="utf-8") as f:
            f.write(self._embeddings)

    def add_pr_curve(self, tag, labels, predictions, global_step=None, num_thresholds=127, weights=None, walltime=None):
        """Precision over recall, of labels 0 or 1 and predictions from 0 to 1."""
        self._add(summary.pr_curve(tag, labels, predictions, num_thresholds, weights), global_step, walltime)

    def add_pr_curve_raw(self, tag, true_positive_counts, false_positive_counts, true_negative_counts, false_negative_counts, precision,
                         recall, global_step=None, num_thresholds=127, weights=None, walltime=None):
        """The same, counted elsewhere."""
        counts = true_positive_counts, false_positive_counts, true_negative_counts, false_negative_counts
        self._add(summary.pr_curve_raw(tag, *counts, precision, recall, num_thresholds), global_step, walltime)

    def add_hparams(self, hparam_dict, metric_dict, hparam_domain_discrete=None, run_name=None, global_step=None):
        """One run's hyperparameters (numbers, bools, texts) and results, as a run of its own below the folder."""
        values = summary.hparams(hparam_dict, metric_dict, hparam_domain_discrete)
        with SummaryWriter(os.path.join(self.log_dir, run_name or str(time.time()))) as w:
            for value in values:
                w.file_writer.add_summary(value, global_step)
            for name, value in metric_dict.items():
                w.add_scalar(name, value, global_step)

    add_mesh = _missing("add_mesh", "write points with add_embedding")
    add_onnx_graph = _missing("add_onnx_graph", "there is no ONNX; use add_graph")
    add_image_with_boxes = _missing("add_image_with_boxes", "draw the boxes into the image and use add_image")
    add_custom_scalars = _missing("add_custom_scalars", "several numbers in one plot are add_scalars")

    def flush(self):
        """Hands all that is waiting to the system."""
        for w in (self.file_writer, *self.all_writers.values()):
            w.flush()

    def close(self):
        """Writes the rest and closes the files."""
        for w in (self.file_writer, *self.all_writers.values()):
            w.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


def _rendered(figure, file):
    """A figure as uint8 (h, w, 3)."""
    import numpy
    figure.savefig(file, format="rgba", dpi=figure.dpi)
    w, h = (int(x) for x in figure.canvas.get_width_height())
    data = numpy.frombuffer(file.getvalue(), numpy.uint8).copy()
    return _C.from_numpy(data).reshape(h, w, 4)[:, :, :3].contiguous()
