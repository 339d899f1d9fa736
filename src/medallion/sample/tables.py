"""The eight Bronze tables as the producer delivers them: columns, texts, damage."""

from __future__ import annotations

from medallion.sample.mess import Damage

_ISO = "'%Y-%m-%dT%H:%M:%S.%f'"


def bronze_queries(damage: Damage, first_month: str) -> dict[str, str]:
    """The query of each table over the generator's working tables.

    Each gives the contract's columns without lineage, and the row's day as `day`.

    Args:
        damage: What happens to values.
        first_month: The month whose counts are spiked, as `YYYY-MM`.
    """
    return {
        "customers": _customers(damage),
        "product_catalog": _products(damage),
        "shopping_carts": _carts(damage),
        "cart_items": _cart_items(damage),
        "orders": _orders(damage, first_month),
        "order_items": _order_items(damage),
        "returns": _returns(damage),
        "return_items": _return_items(damage),
    }


def _money(cents: str) -> str:
    return f"({cents}) / 100.0::double"


def _iso(time: str) -> str:
    return f"strftime({time}, {_ISO})"


def _customers(damage: Damage) -> str:
    row = "customer_id"
    return f"""
        select customer_id, first_name, last_name, email, phone_number,
            signup_day::varchar as signup_date, gender, age, false as is_guest,
            {damage.text("customer_status", "status", row)} as customer_status, signup_channel,
            loyalty_tier, case when is_enrolled then first_tier end as initial_loyalty_tier,
            {damage.losing("email_verified", "verified", row)} as email_verified,
            {damage.losing("marketing_opt_in", "opt in", row)} as marketing_opt_in,
            mailing_address, mailing_address as billing_address,
            case when is_enrolled then (signup_day + enrolled_after::int)::varchar end
                as loyalty_enrollment_date, clv_bucket, signup_day as day
        from customers order by customer_id"""


def _products(damage: Damage) -> str:
    return f"""
        select product_id, {damage.text("product_name", "product", "product_id")} as product_name,
            category, {_money("unit_cents")} as unit_price, {_money("cost_cents")} as cost_price,
            inventory_quantity, category as day
        from products order by product_id"""


def _carts(damage: Damage) -> str:
    row = "cart_id"
    return f"""
        select cart_id, customer_id, {_iso("created_at")} as created_at,
            {damage.losing(_iso("coalesce(last_added, created_at)"), "updated", row)} as updated_at,
            {_money("coalesce(total_cents, 0)")} as cart_total,
            {damage.text("status", "cart status", row)} as status, created_at::date as day
        from carts left join (
            select n, max(added_at) as last_added, sum(quantity * unit_cents)::bigint as total_cents
            from lines group by n
        ) using (n) order by n"""


def _cart_items(damage: Damage) -> str:
    row = ("cart_id", "j")
    return f"""
        select cart_item_id, cart_id, product_id,
            {damage.text("product_name", "cart line", *row)} as product_name, category,
            {_iso("added_at")} as added_at, quantity, {_money("unit_cents")} as unit_price,
            added_at::date as day
        from day_lines where not {damage.lost("added", *row)} order by cart_item_id"""


def _orders(damage: Damage, first_month: str) -> str:
    row = "order_id"
    spiked = f"strftime(created_at, '%Y-%m') = '{first_month}'"
    time = _iso("created_at")
    if damage.loses_separator:
        time = f"replace({time}, 'T', ' ')"
    return f"""
        select order_id, {damage.spiked("total_items", spiked)} as total_items,
            {time} as order_date, customer_id, email, order_channel, is_expedited, customer_tier,
            {_money("gross_cents")} as gross_total, {_money("net_cents")} as net_total,
            {_money("discount_cents")} as total_discount_amount,
            {damage.text("payment_method", "payment", row)} as payment_method,
            {damage.text("shipping_speed", "speed", row)} as shipping_speed,
            {_money("shipping_cents")} as shipping_cost,
            {damage.losing("agent_id", "agent", row)} as agent_id,
            {_money("freight_cents")} as actual_shipping_cost,
            {_money("fee_cents")} as payment_processing_fee, address as shipping_address,
            address as billing_address, {damage.text("clv_bucket", "bucket", row)} as clv_bucket,
            false as is_reactivated, created_at::date as day
        from orders order by created_at, n"""


def _order_items(damage: Damage) -> str:
    row = ("order_id", "product_id")
    return f"""
        select o.order_id, l.product_id,
            {damage.text("product_name", "order line", *row)} as product_name, category, quantity,
            {_money("unit_cents")} as unit_price, {_money("l.discount_cents")} as discount_amount,
            {_money("cost_cents")} as cost_price, o.created_at::date as day
        from order_lines as l join orders as o using (n) order by order_id, product_id"""


def _returns(damage: Damage) -> str:
    row = "return_id"
    return f"""
        select return_id, order_id, customer_id, email, return_day::varchar as return_date,
            {damage.text("reason", "reason", row)} as reason,
            {damage.text("'Refund'", "type", row)} as return_type,
            {_money("coalesce(refund_cents, 0)")} as refunded_amount,
            {damage.text("order_channel", "channel", row)} as return_channel,
            {damage.losing("agent_id", "return agent", row)} as agent_id,
            payment_method as refund_method, return_day as day
        from due_returns left join (
            select return_id, sum(quantity_returned * unit_cents)::bigint as refund_cents
            from due_return_lines group by return_id
        ) using (return_id) order by return_id"""


def _return_items(damage: Damage) -> str:
    row = ("return_id", "product_id")
    return f"""
        select return_item_id, return_id, order_id, product_id,
            {damage.text("product_name", "return line", *row)} as product_name, category,
            quantity_returned, {_money("unit_cents")} as unit_price,
            {_money("cost_cents")} as cost_price,
            {_money("quantity_returned * unit_cents")} as refunded_amount, return_day as day
        from due_return_lines order by return_item_id"""
