"""Epochs, their data sets and proofs: what a stranger needs to check every token."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.utils.cache import patch_cache_control
from django.utils.decorators import method_decorator
from django.views.decorators.http import conditional_page
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import sites
from accounts.models import Site
from gateway.api import epoch_bodies, epoch_serializers
from gateway.api.pagination import Pages
from gateway.api.schema import answers
from gateway.api.serializers import Paging
from gateway.api.views.base import PublicView, StaffView, checked, now
from tokens import epochs, proofs, queries, wallets
from tokens.models import Contract, Epoch, Leaf

FOR_EVER_SECONDS = 365 * 86_400


@method_decorator(conditional_page, name="dispatch")
class SiteContracts(PublicView):
    """`/sites/<slug>/contracts/`."""

    @extend_schema(
        operation_id="sites_contracts",
        responses=answers(ok=epoch_serializers.SiteContracts, problems=(404,)),
    )
    def get(self, request: Request, slug: str) -> Response:
        """Return where the site's token and ledger stand; 404 before they are deployed."""
        found = epochs.contracts_of(site=_site(slug))
        if len({Contract.Kind.TOKEN, Contract.Kind.LEDGER} & found.keys()) < 2:
            raise Http404(slug)
        token, ledger = found[Contract.Kind.TOKEN], found[Contract.Kind.LEDGER]
        return Response(epoch_bodies.contracts(token=token, ledger=ledger))


@method_decorator(conditional_page, name="dispatch")
class SiteEpochs(PublicView):
    """`/sites/<slug>/epochs/`."""

    @extend_schema(
        operation_id="sites_epochs",
        parameters=[Paging],
        responses=answers(ok=epoch_serializers.Epochs, problems=(400, 404)),
    )
    def get(self, request: Request, slug: str) -> Response:
        """List the site's epochs, newest first, vetoed ones included."""
        pages = Pages()
        found = _epochs(_site(slug)).order_by("-number", "-attempt")
        page = pages.paginate_queryset(found, request, view=self) or []
        return pages.get_paginated_response([epoch_bodies.epoch(each) for each in page])


@method_decorator(conditional_page, name="dispatch")
class SiteEpoch(PublicView):
    """`/sites/<slug>/epochs/<n>/`."""

    @extend_schema(
        operation_id="sites_epoch",
        parameters=[epoch_serializers.AskedAttempt],
        responses=answers(ok=epoch_serializers.EpochDetail, problems=(400, 404)),
    )
    def get(self, request: Request, slug: str, number: int) -> Response:
        """Return one epoch: its sums, root, data set, energy balance and state."""
        return Response(epoch_bodies.epoch(_one(request, _site(slug), number)))


@method_decorator(conditional_page, name="dispatch")
class EpochDataset(PublicView):
    """`/sites/<slug>/epochs/<n>/dataset/`."""

    def finalize_response(
        self, request: Request, response: Any, *args: Any, **kwargs: Any
    ) -> Response:
        """What is sealed may be kept for ever; the last attempt of an open number may change."""
        finished = super().finalize_response(request, response, *args, **kwargs)
        if finished.status_code == 200 and self.is_sealed:
            del finished["Cache-Control"]
            patch_cache_control(finished, public=True, immutable=True, max_age=FOR_EVER_SECONDS)
        return finished

    @extend_schema(
        operation_id="sites_epoch_dataset",
        parameters=[epoch_serializers.AskedAttempt],
        responses=answers(ok=OpenApiTypes.OBJECT, problems=(400, 404)),
    )
    def get(self, request: Request, slug: str, number: int) -> HttpResponse:
        """Return the epoch's data set byte for byte: its SHA-256 was told on chain."""
        found = _one(request, _site(slug), number, with_dataset=True)
        self.is_sealed = "attempt" in request.query_params or found.state == Epoch.State.ACTIVE
        answer = HttpResponse(found.dataset.encode(), content_type="application/json")
        answer["ETag"] = f'"{found.dataset_hash}"'
        return answer


class LeafProof(PublicView):
    """`/leaves/<key>/proof/`."""

    def finalize_response(
        self, request: Request, response: Any, *args: Any, **kwargs: Any
    ) -> Response:
        """Keep a household's proof out of every cache."""
        finished = super().finalize_response(request, response, *args, **kwargs)
        del finished["Cache-Control"]
        patch_cache_control(finished, private=True, no_store=True)
        return finished

    @extend_schema(
        operation_id="leaves_proof",
        parameters=[epoch_serializers.AskedLeaf],
        responses=answers(ok=epoch_serializers.Proof, problems=(400, 404)),
    )
    def get(self, request: Request, key: str) -> Response:
        """Return the proof of a leaf by its key. A household's needs the code of its link too, as
        a claim tells the key to everybody."""
        asked = checked(epoch_serializers.AskedLeaf(data=request.query_params))
        leaf = queries.leaf_of(key=key)
        if leaf is None or not _may_see(leaf, code=asked["c"]):
            raise Http404(key)
        return Response(_proof(leaf, number=asked.get("epoch")))


class HouseholdProof(StaffView):
    """`/households/<code>/proof/`."""

    @extend_schema(
        operation_id="households_proof",
        parameters=[epoch_serializers.AskedEpoch],
        responses=answers(ok=epoch_serializers.Proof, problems=(400, 401, 403, 404)),
    )
    def get(self, request: Request, code: str) -> Response:
        """Return the proof of a household's leaf at the site where it lives."""
        at = now()
        asked = checked(epoch_serializers.AskedEpoch(data=request.query_params))
        household = self.household(code, at=at)
        leaf = Leaf.objects.filter(
            household=household, site=sites.site_of(household=household, at=at)
        ).first()
        if leaf is None:
            raise Http404(code)
        return Response(_proof(leaf, number=asked.get("epoch")))


def _site(slug: str) -> Site:
    """Return the site or raise 404; what a closed one proved stays published."""
    site = Site.objects.filter(slug=slug).first()
    if site is None:
        raise Http404(slug)
    return site


def _epochs(site: Site) -> QuerySet[Epoch]:
    found = epochs.of_site(site=site).defer("dataset")
    return found.select_related("site", "proposal", "activation")


def _one(request: Request, site: Site, number: int, *, with_dataset: bool = False) -> Epoch:
    """Return the attempt asked for of an epoch, the last one unless told, or raise 404."""
    asked = checked(epoch_serializers.AskedAttempt(data=request.query_params))
    found = _epochs(site).filter(number=number)
    if "attempt" in asked:
        found = found.filter(attempt=asked["attempt"])
    if with_dataset:
        found = found.defer(None)
    epoch = found.order_by("-attempt").first()
    if epoch is None:
        raise Http404(number)
    return epoch


def _may_see(leaf: Leaf, *, code: str) -> bool:
    return leaf.kind != Leaf.Kind.HOUSEHOLD or wallets.is_code_of(leaf=leaf, code=code)


def _proof(leaf: Leaf, *, number: int | None) -> dict[str, Any]:
    epoch = None
    if number is not None:
        found = _epochs(leaf.site).filter(number=number, state=Epoch.State.ACTIVE)
        epoch = found.first()
        if epoch is None:
            raise Http404(number)
    proof = proofs.of_leaf(leaf=leaf, epoch=epoch)
    if proof is None:
        raise Http404(leaf.key)
    ledger = epochs.contracts_of(site=leaf.site)[Contract.Kind.LEDGER]
    standing = queries.standing(leaf=leaf)
    return epoch_bodies.proof(proof, ledger=ledger.address, claimed_wei=standing.claimed_wei)
