"""word2vec on the sonnets: skip-grams with negative sampling, log-sigmoid, Adagrad, nearest words by cosine similarity."""
from collections import Counter

import torch
import torch.nn as nn
import torch.nn.functional as F
from shared import init, rng, sonnets


class SkipGram(nn.Module):
    def __init__(self, vocab_size, emb_dimension):
        super().__init__()
        self.u_embeddings = nn.Embedding(vocab_size, emb_dimension)
        self.v_embeddings = nn.Embedding(vocab_size, emb_dimension)
        initrange = 1.0 / emb_dimension
        nn.init.uniform_(self.u_embeddings.weight.data, -initrange, initrange)
        nn.init.constant_(self.v_embeddings.weight.data, 0)

    def forward(self, pos_u, pos_v, neg_v):
        emb_u, emb_v, emb_neg_v = self.u_embeddings(pos_u), self.v_embeddings(pos_v), self.v_embeddings(neg_v)
        score = torch.sum(torch.mul(emb_u, emb_v), dim=1)
        score = -F.logsigmoid(torch.clamp(score, max=10, min=-10))
        neg_score = torch.bmm(emb_neg_v, emb_u.unsqueeze(2)).squeeze()
        neg_score = -torch.sum(F.logsigmoid(-torch.clamp(neg_score, max=10, min=-10)), dim=1)
        return torch.mean(score + neg_score)


def main():
    words = "".join(c if c.isalpha() else " " for c in sonnets().lower()).split()[:6000]
    counts = Counter(words)
    kept = sorted(w for w, n in counts.items() if n >= 3)
    word2id = {w: i for i, w in enumerate(kept)}
    ids = [word2id[w] for w in words if w in word2id]
    pairs = [(ids[i], ids[j]) for i in range(len(ids)) for j in range(max(0, i - 2), min(len(ids), i + 3)) if i != j]
    frequency = torch.tensor([counts[w] for w in kept], dtype=torch.float64).pow(0.75)
    cumulative = (frequency / frequency.sum()).cumsum(0)
    model = init(SkipGram(len(kept), 16))
    optimizer = torch.optim.Adagrad(model.parameters(), lr=0.2)
    r = rng(1)
    for step in range(20):
        batch = pairs[step * 64:(step + 1) * 64]
        pos_u, pos_v = (torch.LongTensor(column) for column in zip(*batch))
        neg_v = torch.searchsorted(cumulative, torch.from_numpy(r.random_sample((64, 5)))).clamp(max=len(kept) - 1)
        optimizer.zero_grad()
        loss = model.forward(pos_u, pos_v, neg_v)
        loss.backward()
        optimizer.step()
        yield loss.item()
    weight = model.u_embeddings.weight.detach()
    similarity = F.cosine_similarity(weight[word2id["love"]].unsqueeze(0), weight, dim=1)
    assert similarity.argsort(descending=True)[0].item() == word2id["love"]
