"""Matrix factorisation of ratings (a digit's pixels): embeddings and biases for rows and columns, sparse data, RMSE."""
import torch
from shared import digits, init, rng
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class MatrixFactorization(torch.nn.Module):
    def __init__(self, n_users, n_items, n_factors=8):
        super().__init__()
        self.user_factors = nn.Embedding(n_users, n_factors)
        self.item_factors = nn.Embedding(n_items, n_factors)
        self.user_biases = nn.Embedding(n_users, 1)
        self.item_biases = nn.Embedding(n_items, 1)

    def forward(self, user, item):
        pred = self.user_biases(user) + self.item_biases(item)
        pred += (self.user_factors(user) * self.item_factors(item)).sum(1, keepdim=True)
        return pred.squeeze()


def main():
    images, _ = digits()
    ratings = images[:100].flatten(1)
    rows, cols = (ratings > 0).nonzero(as_tuple=True)
    order = torch.from_numpy(rng(1).permutation(len(rows)))[:20 * 128]
    data = TensorDataset(rows[order], cols[order], ratings[rows, cols][order] * 5)
    model = init(MatrixFactorization(*ratings.shape))
    loss_fn = nn.MSELoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=5.0, momentum=0.5, weight_decay=1e-5)
    for user, item, rating in DataLoader(data, batch_size=128):
        loss = loss_fn(model(user, item), rating)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss.sqrt().item()
