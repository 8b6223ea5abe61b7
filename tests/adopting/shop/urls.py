"""The shop's addresses."""

from django.urls import path

from tests.adopting.shop import views

urlpatterns = [
    path("basket/", views.basket),
    path("window/", views.window),
    path("account/", views.account),
    path("refund/", views.refund),
    path("payout/", views.payout),
    path("vault/", views.vault),
    path("books/", views.books),
    path("ledgers/", views.ledgers),
    path("receipt/", views.receipt),
    path("kept-receipt/", views.kept_receipt),
    path("catalogue/", views.Catalogue.as_view()),
    path("prices/", views.Prices.as_view()),
    path("rest/staff/", views.Staff.as_view()),
    path("rest/orders/", views.Orders.as_view()),
    path("rest/refunds/", views.Refunds.as_view()),
    path("rest/vaults/", views.Vaults.as_view()),
    path("rest/ledger/", views.Ledger.as_view()),
    path("rest/offers/", views.Offers.as_view()),
    path("rest/wishes/", views.Wishes.as_view()),
    path("rest/gifts/", views.Gifts.as_view()),
    path("rest/last-pieces/", views.LastPieces.as_view()),
    path("rest/busy/", views.Busy.as_view()),
    path("rest/odd/<str:what>/", views.Odd.as_view()),
]
