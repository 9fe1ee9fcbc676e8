"""Maps after each epoch: what a training keeps, and the callbacks of the real frameworks where they are installed."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from seewhy.dataset.sharing.epochs import EpochMaps, keras_callback, lightning_callback
from seewhy.errors import NotApplicable

PREPARE = {"size": 16, "crop": 16, "mean": 0.0, "std": 1.0}
PHOTO = np.random.default_rng(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)
    )


def test_modules_gradients_and_buffers_are_left_as_they_were():
    net = network().train()
    net[1].eval()  # a frozen norm in the midst of a training
    before = {name: value.clone() for name, value in net.state_dict().items()}
    said = []
    maps = EpochMaps([PHOTO], how={"prepare": PREPARE}, to=lambda *given: said.append(given))
    assert len(maps.log(net, 0, None)) == 1
    assert [module.training for module in net] == [True, False, True, True, True, True]
    assert all((value == before[name]).all() for name, value in net.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in net.parameters())
    with torch.no_grad():
        net[5].weight.copy_(-net[5].weight)
    maps.log(net, 1, None)
    assert [step for *_, step in said] == [0, 1]
    assert said[0][0] == said[1][0]
    assert said[0][2] != said[1][2]  # the probability is that of the network as it is now


def test_only_every_so_many_epochs():
    said = []
    maps = EpochMaps([PHOTO], how={"prepare": PREPARE}, to=lambda *given: said.append(given), every=3)
    net = network().eval()
    for epoch in range(7):
        maps.log(net, epoch, None)
    assert [step for *_, step in said] == [0, 3, 6]


def test_what_fails_is_told_once_and_ends_no_training():
    maps = EpochMaps(["no/such.png"], how={"prepare": PREPARE}, to=lambda *given: None)
    net = network().train()
    with pytest.warns(UserWarning, match="no maps of epoch 0"):
        assert maps.log(net, 0, None) == []
    assert maps.log(net, 1, None) == []
    assert net.training


def test_frameworks_that_were_not_imported_are_named(monkeypatch):
    for name in ("lightning.pytorch", "pytorch_lightning", "keras"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(NotApplicable, match="Lightning was not imported"):
        lightning_callback([PHOTO])
    with pytest.raises(NotApplicable, match="Keras was not imported"):
        keras_callback([PHOTO], print)


def test_lightnings_hook_logs_on_the_first_process_alone(monkeypatch):
    monkeypatch.setitem(sys.modules, "lightning.pytorch", SimpleNamespace(Callback=object))
    said = []
    callback = lightning_callback([PHOTO], to=lambda *given: said.append(given), prepare=PREPARE)
    callback.on_train_epoch_end(SimpleNamespace(is_global_zero=False, current_epoch=0, loggers=[]), network())
    assert said == []
    callback.on_train_epoch_end(SimpleNamespace(is_global_zero=True, current_epoch=4, loggers=[]), network())
    assert [step for *_, step in said] == [4]


@pytest.mark.filterwarnings("ignore")  # Lightning's own
def test_the_real_lightning(tmp_path):
    lightning = pytest.importorskip("lightning.pytorch")
    pytest.importorskip("tensorboard")

    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = network()

        def forward(self, x):
            return self.net(x)

        def training_step(self, batch, _):
            return self.net(batch[0]).square().mean()

        def validation_step(self, batch, _):
            return self.net(batch[0]).mean()

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), 0.1)

    data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.rand(4, 3, 16, 16)), 2)
    logger = lightning.loggers.TensorBoardLogger(str(tmp_path))
    trainer = lightning.Trainer(
        max_epochs=2, logger=logger, callbacks=[lightning_callback([PHOTO], prepare=PREPARE)], accelerator="cpu",
        enable_progress_bar=False, enable_checkpointing=False, enable_model_summary=False, default_root_dir=str(tmp_path),
    )  # fmt: skip
    trainer.fit(Module(), data, data)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(logger.log_dir)
    events.Reload()
    (tag,) = events.Tags()["images"]
    assert [event.step for event in events.Images(tag)] == [0, 1]


def test_the_real_keras():
    keras = pytest.importorskip("keras")
    net = keras.Sequential([
        keras.layers.Input((16, 16, 3)), keras.layers.Conv2D(4, 3, activation="relu"), keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(2, activation="softmax"),
    ])  # fmt: skip
    net.compile("sgd", "sparse_categorical_crossentropy")
    said = []
    callback = keras_callback([PHOTO], lambda *given: said.append(given), prepare=PREPARE)
    net.fit(np.zeros((4, 16, 16, 3)), np.array([0, 1, 0, 1]), epochs=2, verbose=0, callbacks=[callback])
    assert [step for *_, step in said] == [0, 1]
    assert said[0][1].size == (16, 16)
