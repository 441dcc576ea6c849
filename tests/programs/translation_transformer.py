"""English number words into French ones with nn.Transformer: padded batches, masks, label smoothing, a warm-up schedule."""
import math

import torch
import torch.nn as nn
from num2words import num2words
from shared import init, rng
from torch.nn.utils.rnn import pad_sequence

PAD, BOS, EOS = 0, 1, 2


class Vocabulary:
    def __init__(self, sentences):
        words = sorted({w for s in sentences for w in s})
        self.itos = ["<pad>", "<bos>", "<eos>"] + words
        self.stoi = {w: i for i, w in enumerate(self.itos)}

    def __len__(self):
        return len(self.itos)

    def encode(self, sentence):
        return torch.tensor([BOS] + [self.stoi[w] for w in sentence] + [EOS])


class PositionalEncoding(nn.Module):
    def __init__(self, emb_size, maxlen=64):
        super().__init__()
        den = torch.exp(-torch.arange(0, emb_size, 2) * math.log(10000) / emb_size)
        pos = torch.arange(0, maxlen).reshape(maxlen, 1)
        pos_embedding = torch.zeros((maxlen, emb_size))
        pos_embedding[:, 0::2] = torch.sin(pos * den)
        pos_embedding[:, 1::2] = torch.cos(pos * den)
        self.register_buffer("pos_embedding", pos_embedding.unsqueeze(-2))

    def forward(self, token_embedding):
        return token_embedding + self.pos_embedding[:token_embedding.size(0), :]


class Seq2SeqTransformer(nn.Module):
    def __init__(self, src_vocab, tgt_vocab, emb_size=32, nhead=4, layers=2):
        super().__init__()
        self.transformer = nn.Transformer(d_model=emb_size, nhead=nhead, num_encoder_layers=layers, num_decoder_layers=layers,
                                          dim_feedforward=64, dropout=0.0)
        self.generator = nn.Linear(emb_size, tgt_vocab)
        self.src_tok_emb = nn.Embedding(src_vocab, emb_size)
        self.tgt_tok_emb = nn.Embedding(tgt_vocab, emb_size)
        self.positional_encoding = PositionalEncoding(emb_size)
        self.scale = math.sqrt(emb_size)

    def forward(self, src, tgt, tgt_mask, src_padding_mask, tgt_padding_mask):
        src_emb = self.positional_encoding(self.src_tok_emb(src) * self.scale)
        tgt_emb = self.positional_encoding(self.tgt_tok_emb(tgt) * self.scale)
        outs = self.transformer(src_emb, tgt_emb, tgt_mask=tgt_mask, src_key_padding_mask=src_padding_mask,
                                tgt_key_padding_mask=tgt_padding_mask, memory_key_padding_mask=src_padding_mask)
        return self.generator(outs)


def main():
    numbers = [int(n) for n in rng().permutation(1000)]
    english = [num2words(n).replace("-", " ").split() for n in numbers]
    french = [num2words(n, lang="fr").replace("-", " ").split() for n in numbers]
    en, fr = Vocabulary(english), Vocabulary(french)
    model = init(Seq2SeqTransformer(len(en), len(fr)))
    loss_fn = nn.CrossEntropyLoss(ignore_index=PAD, label_smoothing=0.1)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3, betas=(0.9, 0.98), eps=1e-9)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min((step + 1) ** -0.5, (step + 1) * 10 ** -1.5))
    model.train()
    for step in range(20):
        rows = range(step * 16, (step + 1) * 16)
        src = pad_sequence([en.encode(english[i]) for i in rows], padding_value=PAD)
        tgt = pad_sequence([fr.encode(french[i]) for i in rows], padding_value=PAD)
        tgt_input, tgt_out = tgt[:-1, :], tgt[1:, :]
        mask = torch.triu(torch.full((tgt_input.size(0), tgt_input.size(0)), True), diagonal=1)
        logits = model(src, tgt_input, mask, (src == PAD).transpose(0, 1), (tgt_input == PAD).transpose(0, 1))
        optimizer.zero_grad()
        loss = loss_fn(logits.reshape(-1, logits.shape[-1]), tgt_out.reshape(-1))
        loss.backward()
        optimizer.step()
        scheduler.step()
        yield loss.item()
