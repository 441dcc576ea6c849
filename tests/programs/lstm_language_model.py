"""A word-level LSTM language model on the sonnets: truncated backpropagation, carried hidden state, clipped SGD, tied weights."""
import math

import torch
import torch.nn as nn
from shared import init, sonnets


class RNNModel(nn.Module):
    def __init__(self, ntoken, ninp, nhid, nlayers, dropout=0.0, tie_weights=True):
        super().__init__()
        self.ntoken, self.nhid, self.nlayers = ntoken, nhid, nlayers
        self.drop = nn.Dropout(dropout)
        self.encoder = nn.Embedding(ntoken, ninp)
        self.rnn = nn.LSTM(ninp, nhid, nlayers, dropout=dropout)
        self.decoder = nn.Linear(nhid, ntoken)
        if tie_weights:
            self.decoder.weight = self.encoder.weight
        nn.init.uniform_(self.encoder.weight, -0.1, 0.1)

    def forward(self, input, hidden):
        emb = self.drop(self.encoder(input))
        output, hidden = self.rnn(emb, hidden)
        decoded = self.decoder(self.drop(output)).view(-1, self.ntoken)
        return nn.functional.log_softmax(decoded, dim=1), hidden

    def init_hidden(self, bsz):
        weight = next(self.parameters())
        return weight.new_zeros(self.nlayers, bsz, self.nhid), weight.new_zeros(self.nlayers, bsz, self.nhid)


def repackage_hidden(h):
    """Cuts hidden states from their history."""
    if isinstance(h, torch.Tensor):
        return h.detach()
    return tuple(repackage_hidden(v) for v in h)


def batchify(data, bsz):
    nbatch = data.size(0) // bsz
    data = data.narrow(0, 0, nbatch * bsz)
    return data.view(bsz, -1).t().contiguous()


def main():
    words = sonnets().replace("\n", " <eos> ").lower().split()[:3000]
    vocabulary = {w: i for i, w in enumerate(sorted(set(words)))}
    train = batchify(torch.tensor([vocabulary[w] for w in words]).type(torch.int64), 8)
    model = init(RNNModel(len(vocabulary), 24, 24, 2))
    criterion = nn.NLLLoss()
    lr, bptt = 5.0, 12
    hidden = model.init_hidden(8)
    model.train()
    for i in range(20):
        data, targets = train[i * bptt:(i + 1) * bptt], train[i * bptt + 1:(i + 1) * bptt + 1].view(-1)
        model.zero_grad()
        hidden = repackage_hidden(hidden)
        output, hidden = model(data, hidden)
        loss = criterion(output, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.25)
        with torch.no_grad():
            for p in model.parameters():
                p.add_(p.grad, alpha=-lr)
        assert math.exp(loss.item()) > 1
        yield loss.item()
