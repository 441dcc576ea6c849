"""GRU encoder and decoder with additive attention that learns to spell names backwards, fed with its targets."""
import random

import torch
import torch.nn as nn
import torch.nn.functional as F
from shared import init, names
from torch import optim

SOS_token, EOS_token, MAX_LENGTH = 0, 1, 12


class EncoderRNN(nn.Module):
    def __init__(self, input_size, hidden_size, dropout_p=0.0):
        super().__init__()
        self.embedding = nn.Embedding(input_size, hidden_size)
        self.gru = nn.GRU(hidden_size, hidden_size, batch_first=True)
        self.dropout = nn.Dropout(dropout_p)

    def forward(self, input):
        return self.gru(self.dropout(self.embedding(input)))


class BahdanauAttention(nn.Module):
    def __init__(self, hidden_size):
        super().__init__()
        self.Wa = nn.Linear(hidden_size, hidden_size)
        self.Ua = nn.Linear(hidden_size, hidden_size)
        self.Va = nn.Linear(hidden_size, 1)

    def forward(self, query, keys):
        scores = self.Va(torch.tanh(self.Wa(query) + self.Ua(keys)))
        weights = F.softmax(scores.squeeze(2).unsqueeze(1), dim=-1)
        return torch.bmm(weights, keys), weights


class AttnDecoderRNN(nn.Module):
    def __init__(self, hidden_size, output_size):
        super().__init__()
        self.embedding = nn.Embedding(output_size, hidden_size)
        self.attention = BahdanauAttention(hidden_size)
        self.gru = nn.GRU(2 * hidden_size, hidden_size, batch_first=True)
        self.out = nn.Linear(hidden_size, output_size)

    def forward(self, encoder_outputs, encoder_hidden, target_tensor=None):
        decoder_input = torch.empty(encoder_outputs.size(0), 1, dtype=torch.long).fill_(SOS_token)
        decoder_hidden, outputs, attentions = encoder_hidden, [], []
        for i in range(MAX_LENGTH):
            embedded = self.embedding(decoder_input)
            context, weights = self.attention(decoder_hidden.permute(1, 0, 2), encoder_outputs)
            output, decoder_hidden = self.gru(torch.cat((embedded, context), dim=2), decoder_hidden)
            output = self.out(output)
            outputs.append(output)
            attentions.append(weights)
            if target_tensor is not None:
                decoder_input = target_tensor[:, i].unsqueeze(1)
            else:
                _, topi = output.topk(1)
                decoder_input = topi.squeeze(-1).detach()
        return F.log_softmax(torch.cat(outputs, dim=1), dim=-1), decoder_hidden, torch.cat(attentions, dim=1)


def encode(word):
    ids = [ord(c) - ord("a") + 2 for c in word] + [EOS_token]
    return ids + [EOS_token] * (MAX_LENGTH - len(ids))


def main():
    random.seed(0)
    words = random.sample([n for n in names() if len(n) < MAX_LENGTH], 320)
    source = torch.LongTensor([encode(w) for w in words])
    target = torch.LongTensor([encode(w[::-1]) for w in words])
    encoder, decoder = init(EncoderRNN(28, 24), 1), init(AttnDecoderRNN(24, 28), 2)
    encoder_optimizer, decoder_optimizer = (optim.Adam(m.parameters(), lr=5e-3) for m in (encoder, decoder))
    criterion = nn.NLLLoss()
    for step in range(20):
        x, y = source[step * 16:(step + 1) * 16], target[step * 16:(step + 1) * 16]
        encoder_optimizer.zero_grad()
        decoder_optimizer.zero_grad()
        encoder_outputs, encoder_hidden = encoder(x)
        decoder_outputs, _, _ = decoder(encoder_outputs, encoder_hidden, y)
        loss = criterion(decoder_outputs.view(-1, decoder_outputs.size(-1)), y.view(-1))
        loss.backward()
        encoder_optimizer.step()
        decoder_optimizer.step()
        yield loss.item()
    with torch.no_grad():
        outputs, _, attentions = decoder(*encoder(source[:2]))
    assert outputs.shape == (2, MAX_LENGTH, 28) and attentions.shape == (2, MAX_LENGTH, MAX_LENGTH)
