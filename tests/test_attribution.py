"""Who pays for a call: what the client says, what `attribute()` says around it, and when it is read."""

import asyncio
import contextvars
import threading

import pytest

from tests.conftest import CLAUDE, GPT, done, entered
from tracked_inference import TrackedClient, attribute
from tracked_inference.attribution import current_attribution
from tracked_inference.errors import AttributionError


def words():
    """What holds here: feature, team, user."""
    now = current_attribution()
    return (None, None, None) if now is None else (now.feature, now.team, now.user)


def test_inner_words_go_over_outer_ones():
    """What the inner one does not say stays as the outer one has it; outside nothing is left."""
    with attribute(feature="search", team="discovery", user="u_1"):
        with attribute(feature="ranking", user="u_2"):
            inner = words()
        outer = words()

    assert inner == ("ranking", "discovery", "u_2")
    assert outer == ("search", "discovery", "u_1")
    assert words() == (None, None, None)


def test_tags_add_up():
    """Tags of both hold inside; None says nothing; everything else becomes text."""
    with attribute(tenant=7, plan=None), attribute(job="nightly", tenant="t_8"):
        now = current_attribution()

    assert dict(now.tags) == {"tenant": "t_8", "job": "nightly"}


@pytest.mark.parametrize(
    ("given", "nearest"),
    [
        ({"feature": "Document Summarisation!"}, "document_summarisation"),
        ({"team": "équipe"}, "equipe"),
        ({"feature": "a" * 64}, "a" * 63),
        ({"feature": ""}, "document_summarisation"),
        ({"team": "-"}, "documents"),
    ],
)
def test_a_word_that_is_no_slug_is_refused_with_the_nearest(given, nearest):
    """The error names the word, what is wrong and a legal form."""
    with pytest.raises(AttributionError, match="legal name") as refused:
        attribute(**given)

    assert f"'{nearest}'" in str(refused.value)


def test_decorated_functions_run_inside():
    """A plain function runs inside, with its own signature, return value and error."""

    @attribute(feature="search")
    def work(value, *, fail=False):
        if fail:
            raise LookupError(value)
        return value, words()[0]

    assert work(1) == (1, "search")
    with pytest.raises(LookupError):
        work(2, fail=True)
    assert work.__name__ == "work"
    assert words() == (None, None, None)


async def test_decorated_coroutines_run_inside_each_for_itself():
    """Many runs of one decorated coroutine at once do not disturb each other or their surroundings."""

    @attribute(feature="search")
    async def work(user):
        with attribute(user=user):
            await asyncio.sleep(0)
            return words()

    found = await asyncio.gather(*(work(f"u_{at}") for at in range(20)))

    assert found == [("search", None, f"u_{at}") for at in range(20)]
    assert words() == (None, None, None)


def test_decorated_generators_hold_while_they_run_and_not_while_their_consumer_does():
    """send(), throw(), close() and the return value work as ever; between the items the consumer's words hold."""
    closed = []

    @attribute(feature="search")
    def items():
        try:
            sent = yield words()[0]
            try:
                yield (sent, words()[0])
            except KeyError:
                yield ("caught", words()[0])
            return "end"
        finally:
            closed.append(words()[0])

    made = items()
    first = next(made)
    between = words()
    second = made.send("hello")
    third = made.throw(KeyError("x"))
    with pytest.raises(StopIteration) as stop:
        next(made)
    left = items()
    next(left)
    left.close()

    assert (first, second, third) == ("search", ("hello", "search"), ("caught", "search"))
    assert between == (None, None, None)
    assert stop.value.value == "end"
    assert closed[0] == "search"
    assert len(closed) == 2


async def test_decorated_async_generators_do_likewise():
    """asend(), athrow() and aclose() work as ever; between the items the consumer's words hold."""

    @attribute(feature="search")
    async def items():
        sent = yield words()[0]
        await asyncio.sleep(0)
        try:
            yield (sent, words()[0])
        except KeyError:
            yield ("caught", words()[0])

    made = items()
    first = await anext(made)
    between = words()
    second = await made.asend("hello")
    third = await made.athrow(KeyError("x"))
    with pytest.raises(StopAsyncIteration):
        await anext(made)
    left = items()
    await anext(left)
    await left.aclose()
    all_of_it = [item async for item in items()]

    assert (first, second, third) == ("search", ("hello", "search"), ("caught", "search"))
    assert between == (None, None, None)
    assert all_of_it == ["search", (None, "search")]


async def test_a_generator_that_another_task_ends_disturbs_nobody():
    """`with attribute()` around a yield, left in another context, raises nothing and leaves that context as it is."""

    async def items():
        with attribute(feature="search"):
            yield 1
            yield 2

    made = items()
    await contextvars.copy_context().run(asyncio.ensure_future, anext(made))
    with attribute(feature="ranking"):
        await made.aclose()
        after = words()

    assert after[0] == "ranking"
    assert words() == (None, None, None)


async def test_tasks_and_threads_that_copy_the_context_keep_it():
    """A task and a thread started inside keep the words after the block has ended."""
    go = asyncio.Event()

    async def later():
        await go.wait()
        return words()

    with attribute(feature="search"):
        task = asyncio.create_task(later())
        thread = asyncio.create_task(asyncio.to_thread(words))
    go.set()

    assert (await task)[0] == "search"
    assert (await thread)[0] == "search"


def test_one_manager_may_be_shared_by_threads():
    """A manager kept in a module is entered by many threads at once, and each leaves it as it came."""
    shared = attribute(feature="search")
    wrong = []

    def work(at):
        with attribute(user=f"u_{at}"):
            for _ in range(300):
                with shared, attribute(team="discovery"):
                    if words() != ("search", "discovery", f"u_{at}"):
                        wrong.append(words())
                if words() != (None, None, f"u_{at}"):
                    wrong.append(words())

    threads = [threading.Thread(target=work, args=(at,)) for at in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []


async def test_a_manager_may_be_entered_again_inside_itself():
    """Entering the same manager twice, `async with` too, needs leaving it twice."""
    shared = attribute(feature="search")
    async with shared:
        async with shared:
            inner = words()
        still = words()

    assert (inner[0], still[0], words()[0]) == ("search", "search", None)


async def test_calls_take_the_words_at_their_start(claude, records, vendor):
    """A stream that was started inside is for who was named there, wherever it is read."""
    with attribute(feature="ranking", user="u_42", tenant="t_1"):
        stream = await done(claude.messages.create(**CLAUDE, stream=True))
    with attribute(feature="other-feature", user="u_43"):
        if hasattr(stream, "__aiter__"):
            [event async for event in stream]
        else:
            list(stream)

    assert (records.one.feature, records.one.team, records.one.user) == ("ranking", "discovery", "u_42")
    assert dict(records.one.tags) == {"tenant": "t_1"}


async def test_with_attribution_shares_the_connections(gpt, records, vendor):
    """The client for somebody else has its own words, everything else is shared; the first client stays as it was."""
    other = gpt.with_attribution(feature="ranking", user=42, tenant="t_1")
    await done(other.with_options(timeout=9).chat.completions.create(**GPT))
    await done(gpt.chat.completions.create(**GPT))
    mine, first = records

    assert (mine.feature, mine.team, mine.user, dict(mine.tags)) == (
        "ranking",
        "discovery",
        "42",
        {"tenant": "t_1"},
    )
    assert (first.feature, first.user) == ("search", None)
    assert other._client is gpt._client
    assert type(other) is type(gpt)
    with pytest.raises(AttributionError):
        gpt.with_attribution(team="Not a slug")


async def test_a_tool_runner_keeps_its_words(claude, records):
    """A helper that calls again later does so for whoever runs it."""
    with attribute(feature="ranking"):
        async with entered(claude.messages.stream(**CLAUDE)) as stream:
            await done(stream.get_final_message())

    assert records.one.feature == "ranking"


@pytest.mark.parametrize(
    "given", [{}, {"feature": "search"}, {"team": "discovery"}, {"feature": "S", "team": "t"}]
)
def test_a_client_needs_feature_and_team(plain_gpt, given):
    """An untagged call is an invisible cost: construction refuses."""
    with pytest.raises(AttributionError):
        TrackedClient(plain_gpt, **given)
