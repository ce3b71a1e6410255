"""Whatever is typed, a household gets a page its phone can show, and the same one on replay."""

from dataclasses import replace
from datetime import timedelta
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.sms.gsm import not_gsm7, septets
from gateway.ussd.effects import ChangePin, StartTopUp, TakeCash
from gateway.ussd.engine import MAX_HOPS, Step, advance, dial, inputs, replay, step
from gateway.ussd.facts import AgentFacts, Context, HouseholdFacts, PaymentFacts
from gateway.ussd.redaction import redact
from gateway.ussd.state import State
from tests.unit.ussd_people import AGENT, AMINAS_ACCOUNT, NOW, People

WEI = st.integers(min_value=0, max_value=10**30)

CODES = st.from_regex(r"[A-Z]{3}[0-9]{4,9}", fullmatch=True)


@st.composite
def agents(draw: st.DrawFn) -> AgentFacts | None:
    """Often nobody; otherwise an agent with any float."""
    if draw(st.booleans()):
        return None
    return replace(
        AGENT,
        currency=draw(st.sampled_from(["KES", "XOF"])),
        float_minor=draw(WEI),
        is_open=draw(st.integers(0, 3)) > 0,
    )


@st.composite
def phones(draw: st.DrawFn) -> Context:
    """Any phone: of nobody, of one household or of many; any figures; any names."""
    codes = draw(st.lists(CODES, max_size=15, unique=True))
    currency = draw(st.sampled_from(["KES", "XOF"]))
    account = replace(
        AMINAS_ACCOUNT,
        currency=currency,
        funds_wei=draw(WEI),
        arrears_wei=draw(WEI),
        local_per_dai=draw(st.fractions(min_value=Fraction(1, 10**6), max_value=10**6)),
        price_wei_per_kwh=draw(st.none() | WEI),
        daily_spend_wei=draw(WEI),
        as_of=NOW - timedelta(seconds=draw(st.integers(-(10**6), 10**8))),
        rail_available=draw(st.booleans()),
        paybill=draw(st.sampled_from([None, AMINAS_ACCOUNT.paybill])),
        site_closed=draw(st.booleans()),
    )
    payment = PaymentFacts(
        at=NOW, amount_minor=draw(WEI), currency=currency, reference=draw(st.text(max_size=30))
    )
    language = draw(st.sampled_from(["en", "fr", "sw", "SW", "de", ""]))
    return Context(
        facts=People(
            members=[
                HouseholdFacts(code=code, language=language, name=draw(st.text(max_size=20)))
                for code in codes
            ],
            accounts={code: replace(account, code=code) for code in codes},
            language=language,
            help_phone=draw(st.none() | st.just("+254711999999")),
            payments=[payment] * draw(st.integers(0, 4)),
            works_for=draw(agents()),
        ),
        now=NOW,
    )


TYPED = st.lists(
    st.sampled_from(["0", "1", "2", "3", "4", "5", "9", "500", "4826", "7391", ""])
    | st.sampled_from(["6", "7", "KIS0001", "kis0002", "KIS9999"])
    | st.text(max_size=12).map(lambda text: text.replace("*", "")),
    max_size=12,
)


def check_page(current: Step) -> None:
    body = current.page.body
    assert body.startswith(("CON ", "END "))
    assert not not_gsm7(body)
    assert septets(body) <= 182
    assert current.page.text.strip()
    assert current.page.ends == current.state.ended
    assert State.from_json(current.state.to_json()) == current.state
    if current.effects:
        assert current.page.ends


@settings(deadline=None)
@given(phones(), TYPED)
def test_any_input_anywhere_gives_a_page_that_any_phone_can_show(
    context: Context, typed: list[str]
) -> None:
    current = dial(context)
    check_page(current)
    for hop, entered in enumerate(typed):
        current = step(current.state, entered, replace(context, earlier=tuple(typed[:hop])))
        check_page(current)


@settings(deadline=None)
@given(phones(), TYPED)
def test_a_replay_ends_where_hop_by_hop_ended(context: Context, typed: list[str]) -> None:
    current = advance(None, "", context)
    seen: list[Step] = [current]
    for end in range(1, len(typed) + 1):
        text = "*".join(typed[:end])
        if current.state.ended or not inputs(text):
            break
        current = advance(current.state, text, context)
        seen.append(current)
    text = "*".join(typed[: len(seen) - 1])
    assert replay(text, context) == replace(current, effects=())
    assert advance(None, text, context) == current
    assert all(not earlier.effects for earlier in seen[:-1])


@settings(deadline=None)
@given(phones(), st.text(max_size=600))
def test_any_text_at_all_is_answered(context: Context, text: str) -> None:
    current = advance(None, text, context)
    check_page(current)
    assert current.state.hops <= MAX_HOPS
    assert replay(text, context).effects == ()
    redact(text)


@settings(deadline=None)
@given(phones(), TYPED)
def test_what_a_session_asks_for_is_always_within_the_rules(
    context: Context, typed: list[str]
) -> None:
    codes = {household.code for household in context.facts.households}
    for effect in advance(None, "*".join(typed), context).effects:
        if isinstance(effect, TakeCash):
            check_cash(effect, context, typed=typed)
            continue
        assert effect.household_code in codes
        if isinstance(effect, StartTopUp):
            account = context.facts.account(effect.household_code)
            assert account.min_top_up_minor <= effect.amount_minor <= account.max_top_up_minor
            assert account.rail_available
            assert not account.site_closed
        if isinstance(effect, ChangePin):
            assert effect.new_pin != effect.old_pin
            assert effect.new_pin in typed
            redacted = redact("*".join(typed))
            assert effect.new_pin not in redacted.split("*")


def check_cash(effect: TakeCash, context: Context, *, typed: list[str]) -> None:
    """Only an open agent takes it, for a code that was typed, as far as limits and float go."""
    agent = context.facts.agent()
    assert agent.is_open
    assert agent.code == context.facts.agent_code
    assert effect.household_code in {part.strip().upper().replace(" ", "") for part in typed}
    assert agent.min_cash_minor <= effect.amount_minor <= agent.max_cash_minor
    assert effect.amount_minor <= agent.float_minor
    assert effect.pin in [part.strip().removesuffix("#") for part in typed]
    # The same digits may stand there as an amount, but never as often.
    text = "*".join(typed)
    assert redact(text).count(effect.pin) < text.count(effect.pin)


CASH = st.lists(
    st.sampled_from(["6", "6", "KIS0001", "500", "1", "1", "4826", "0", "KIS0002"]), max_size=9
)


@settings(deadline=None)
@given(CASH)
def test_an_agents_session_asks_for_nothing_but_cash_within_the_rules(more: list[str]) -> None:
    context = Context(facts=People(members=(), works_for=AGENT), now=NOW)
    typed = ["6", "KIS0001", *more]
    taken = advance(None, "*".join(typed), context)
    check_page(taken)
    for effect in taken.effects:
        assert isinstance(effect, TakeCash)
        check_cash(effect, context, typed=typed)
