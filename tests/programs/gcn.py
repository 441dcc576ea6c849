"""A graph convolutional network on a graph of digits: nearest neighbours are edges, few labels, a normalised adjacency matrix."""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from shared import digits, init
from torch.nn.parameter import Parameter


def graph_of_digits(nodes=120, neighbours=4):
    """(features, adjacency without loops, labels): the k nearest images of each, made symmetric."""
    images, labels = digits()
    x = images[:nodes].flatten(1)
    distances = torch.cdist(x, x)
    distances.fill_diagonal_(float("inf"))
    near = distances.topk(neighbours, dim=1, largest=False).indices
    adj = torch.zeros(nodes, nodes).scatter_(1, near, 1.0)
    return x, torch.maximum(adj, adj.t()), labels[:nodes]


class GraphConvolution(nn.Module):
    def __init__(self, in_features, out_features, bias=True):
        super().__init__()
        self.weight = Parameter(torch.FloatTensor(in_features, out_features))
        if bias:
            self.bias = Parameter(torch.FloatTensor(out_features))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self):
        stdv = 1.0 / math.sqrt(self.weight.size(1))
        self.weight.data.uniform_(-stdv, stdv)
        if self.bias is not None:
            self.bias.data.uniform_(-stdv, stdv)

    def forward(self, input, adj):
        support = torch.mm(input, self.weight)
        output = torch.spmm(adj, support)
        return output + self.bias if self.bias is not None else output


class GCN(nn.Module):
    def __init__(self, nfeat, nhid, nclass, dropout):
        super().__init__()
        self.gc1 = GraphConvolution(nfeat, nhid)
        self.gc2 = GraphConvolution(nhid, nclass)
        self.dropout = dropout

    def forward(self, x, adj):
        x = F.relu(self.gc1(x, adj))
        x = F.dropout(x, self.dropout, training=self.training)
        return F.log_softmax(self.gc2(x, adj), dim=1)


def main():
    features, adj, labels = graph_of_digits()
    adj = adj + torch.eye(adj.shape[0])
    degrees = torch.pow(adj.sum(1), -0.5)
    adj = torch.einsum("i,ij,j->ij", degrees, adj, degrees)
    idx_train = torch.arange(0, 120, 3)
    model = init(GCN(features.shape[1], 16, int(labels.max().item()) + 1, 0.0))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05, weight_decay=5e-4)
    for _ in range(20):
        model.train()
        optimizer.zero_grad()
        output = model(features, adj)
        loss = F.nll_loss(output[idx_train], labels[idx_train])
        loss.backward()
        optimizer.step()
        preds = output.max(1)[1].type_as(labels)
        assert preds.eq(labels).double().sum() >= 0
        yield loss.item()
