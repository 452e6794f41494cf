from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from models_app.models import LLM

MILLION = Decimal(1_000_000)
# One exchange that would cost more has a wrong price, and no column for it.
DEAREST_USD = MILLION
OVERRIDE_INPUT = "input_price_per_1m"
OVERRIDE_OUTPUT = "output_price_per_1m"
OVERRIDE_CACHED = "cached_input_price_per_1m"
# Per million tokens. Above it nothing is sold: whoever wrote that did not mean a price.
LARGEST_PRICE = MILLION
# The last that `Measured.estimated_cost` can hold.
DIGIT = Decimal("1e-10")

# Our provider types as genai-prices names them. A type that is not here has no list price.
PRICE_LISTS = {
    "openai": "openai",
    "text-completion-openai": "openai",
    "anthropic": "anthropic",
    "anthropic_text": "anthropic",
    "google_vertex": "google",
    "google_ai_studio": "google",
    "gemini": "google",
    "vertex_ai": "google",
    "vertex_ai_beta": "google",
    "aws_bedrock": "aws",
    "bedrock": "aws",
    "azure_openai": "azure",
    "azure": "azure",
    "azure_ai": "azure",
    "azure_text": "azure",
    "openrouter": "openrouter",
    "together_ai": "together",
    "groq": "groq",
    "mistral": "mistral",
    "codestral": "mistral",
    "xai": "x-ai",
    "fireworks_ai": "fireworks",
    "deepseek": "deepseek",
    "cerebras": "cerebras",
    "cohere": "cohere",
    "cohere_chat": "cohere",
    "baseten": "baseten",
    "cloudflare": "cloudflare",
    "databricks": "databricks",
    "meta_llama": "meta",
    "ovhcloud": "ovhcloud",
    "moonshot": "moonshotai",
    "novita": "novita",
    "perplexity": "perplexity",
}


def cost_of(llm: LLM, figures: dict[str, Any]) -> Decimal | None:
    """What one exchange cost, in USD; None when a price or a token count is unknown or absurd.

    Prices in the LLM's metadata (USD per million tokens) go before the public list; there, cached
    tokens cost what others cost unless they have a price of their own.
    """
    tokens_in, tokens_out = figures["input_tokens"], figures["output_tokens"]
    if tokens_in is None or tokens_out is None:
        return None
    cost = _cost(llm, tokens_in, tokens_out, min(figures["cached_tokens"] or 0, tokens_in))
    return None if cost is None or cost >= DEAREST_USD else cost.quantize(DIGIT)


def _cost(llm: LLM, tokens_in: int, tokens_out: int, cached: int) -> Decimal | None:
    own_in, own_out, own_cached = (
        _price(llm.metadata.get(name))
        for name in (OVERRIDE_INPUT, OVERRIDE_OUTPUT, OVERRIDE_CACHED)
    )
    if own_in is None or own_out is None:
        return _listed(llm, tokens_in, tokens_out, cached)
    price_cached = own_in if own_cached is None else own_cached
    fresh = tokens_in - cached
    cost: Decimal = (own_in * fresh + price_cached * cached + own_out * tokens_out) / MILLION
    return cost


def _price(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        price = Decimal(str(value))
    except InvalidOperation:
        return None
    return price if price.is_finite() and 0 <= price <= LARGEST_PRICE else None


def _listed(llm: LLM, tokens_in: int, tokens_out: int, cached: int) -> Decimal | None:
    price_list = PRICE_LISTS.get(llm.account.provider_type)
    if price_list is None:
        return None
    name = llm.upstream_id
    if price_list == "google":  # Vertex names a model with its publisher, the list without
        name = name.rpartition("/")[2]
    # Imported late: its price data costs every process memory, and few ask for a price.
    from genai_prices import Usage, calc_price

    # Input tokens include the cached ones, in our figures and in the list's formula.
    usage = Usage(input_tokens=tokens_in, cache_read_tokens=cached, output_tokens=tokens_out)
    try:
        found = calc_price(usage, name, provider_id=price_list)
    except (LookupError, ValueError):
        return None
    # What has no price of its own the library charges at another's, or not at all.
    prices = found.model_price
    needed = [(tokens_in - cached, prices.input_mtok), (cached, prices.cache_read_mtok)]
    needed.append((tokens_out, prices.output_mtok))
    if any(tokens and price is None for tokens, price in needed):
        return None
    return Decimal(found.total_price)
