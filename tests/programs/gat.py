"""A graph attention network on the graph of digits, by edge lists: gather, index_add, a softmax over each node's edges."""
import torch
import torch.nn as nn
import torch.nn.functional as F
from gcn import graph_of_digits
from shared import init


class GATLayer(nn.Module):
    def __init__(self, in_features, out_features, heads, concat=True):
        super().__init__()
        self.heads, self.out_features, self.concat = heads, out_features, concat
        self.linear_proj = nn.Linear(in_features, heads * out_features, bias=False)
        self.scoring_src = nn.Parameter(torch.Tensor(1, heads, out_features))
        self.scoring_trg = nn.Parameter(torch.Tensor(1, heads, out_features))
        self.bias = nn.Parameter(torch.zeros(heads * out_features if concat else out_features))
        self.leakyReLU = nn.LeakyReLU(0.2)
        nn.init.xavier_uniform_(self.linear_proj.weight)
        nn.init.xavier_uniform_(self.scoring_src)
        nn.init.xavier_uniform_(self.scoring_trg)

    def forward(self, x, edge_index):
        nodes = x.shape[0]
        src, trg = edge_index
        proj = self.linear_proj(x).view(-1, self.heads, self.out_features)
        scores = ((proj * self.scoring_src).sum(dim=-1).index_select(0, src)
                  + (proj * self.scoring_trg).sum(dim=-1).index_select(0, trg))
        scores = self.leakyReLU(scores)
        exp = (scores - scores.max()).exp()
        total = torch.zeros(nodes, self.heads, dtype=exp.dtype).scatter_add_(0, trg.unsqueeze(-1).expand_as(exp), exp)
        attention = exp / (total.index_select(0, trg) + 1e-16)
        out = torch.zeros_like(proj).index_add_(0, trg, proj.index_select(0, src) * attention.unsqueeze(-1))
        out = out.view(nodes, -1) if self.concat else out.mean(dim=1)
        return out + self.bias


def main():
    x, adj, labels = graph_of_digits()
    edge_index = (adj + torch.eye(len(adj))).nonzero().t().contiguous()
    layers = init(nn.ModuleList([GATLayer(64, 8, 4), GATLayer(32, 10, 2, concat=False)]))
    train_mask = torch.zeros(len(x), dtype=torch.bool)
    train_mask[::3] = True
    optimizer = torch.optim.Adam(layers.parameters(), lr=2e-2, weight_decay=5e-4)
    criterion = nn.CrossEntropyLoss(reduction="mean")
    for _ in range(20):
        h = F.elu(layers[0](x, edge_index))
        h = layers[1](h, edge_index)
        loss = criterion(h[train_mask], labels[train_mask])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss.item()
