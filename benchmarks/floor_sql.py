"""The queries of the floor: cleaning macros, the ten Enriched tables and Gold."""

from __future__ import annotations

from typing import NamedTuple


class Query(NamedTuple):
    """A table by name, and the query that makes it."""

    name: str
    sql: str


_TIME = r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?"
_DAY = r"\d{4}-\d{2}-\d{2}"
_OFFSET = r"(Z|[+-]([01]\d|2[0-3])(:?[0-5]\d)?)"
_NO_ZONE = f"^{_DAY}([T ]{_TIME})?$"
_ZONE = f"^{_DAY}[T ]{_TIME} ?{_OFFSET}$"
_HOURS = r"([+-]\d{2}):?(?:\d{2})?$"
_MINUTES = r"[+-]\d{2}:?(\d{2})$"
_BLANKS = r"' ' || chr(9) || chr(10) || chr(11) || chr(12) || chr(13)"

MACROS = [
    # Few values have blanks around them, and looking is cheaper than trimming.
    (
        "trimmed(x) as case when ascii(x) > 32 and ascii(x[-1]) > 32 then x"
        f" else trim(x, {_BLANKS}) end"
    ),
    (
        "no_null_word(x) as case when strlen(x) > 4 then x"
        " when lower(x) in ('', 'null', 'none', 'nan', 'n/a') then null else x end"
    ),
    (
        "title(x) as array_to_string(list_transform(string_split(x, ' '),"
        " lambda w: upper(w[1]) || lower(w[2:])), ' ')"
    ),
    r"valid_email(x) as case when regexp_full_match(x, '[^@\s]+@[^@\s]+\.[^@\s]+') then x end",
    r"is_guest_id(x) as regexp_full_match(x, 'GUEST-\d+')",
    (
        "finite_text(x) as case when cast(x as varchar) not in ('nan', '-nan', 'inf', '-inf')"
        " then cast(x as varchar) end"
    ),
    # A whole number has no point: the digits of the shortest form, then zeros for the exponent.
    # Trailing zeros behind a point go, and the point with them.
    "without_zeros(x) as case when contains(x, '.') then rtrim(rtrim(x, '0'), '.') else x end",
    (
        "unsigned_number(x) as case when contains(x, 'e+') then"
        " rpad(replace(split_part(x, 'e+', 1), '.', ''), split_part(x, 'e+', 2)::int + 1, '0')"
        " when contains(x, 'e') then x else without_zeros(x) end"
    ),
    (
        "plain_number(x) as case when without_zeros(x) in ('0', '-0') then '0'"
        " when starts_with(x, '-') then '-' || unsigned_number(x[2:])"
        " else unsigned_number(x) end"
    ),
    # Where two decimals already give the number back, they are its shortest text.
    (
        "float_to_money(x) as case when abs(x) < 1e12"
        " and cast(try_cast(x as decimal(18, 2)) as double) = x then try_cast(x as decimal(18, 2))"
        " else try_cast(cast(x as varchar) as decimal(18, 2)) end"
    ),
    (
        "float_to_int(x) as case when cast(try_cast(x as bigint) as double) = x"
        " then try_cast(x as bigint) end"
    ),
    (
        r"text_to_money(x) as case"
        r" when regexp_full_match(x, '[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?')"
        r" then try_cast(x as decimal(18, 2)) end"
    ),
    (
        r"text_to_int(x) as case when regexp_full_match(x, '[+-]?\d+(\.0+)?')"
        " then try_cast(split_part(x, '.', 1) as bigint) end"
    ),
    (
        "text_to_bool(x) as case when lower(x) in ('true', 't', 'yes', 'y', '1', '1.0') then true"
        " when lower(x) in ('false', 'f', 'no', 'n', '0', '0.0') then false end"
    ),
    (
        f"zone_minutes(x) as coalesce(try_cast(regexp_extract(x, '{_HOURS}', 1) as int) * 60"
        f" + case when contains(right(x, 6), '-') then -1 else 1 end"
        f" * coalesce(try_cast(regexp_extract(x, '{_MINUTES}', 1) as int), 0), 0)"
    ),
    f"without_zone(x) as regexp_replace(x, ' ?{_OFFSET}$', '')",
    (
        f"text_to_timestamp(x) as case when regexp_full_match(x, '{_NO_ZONE}')"
        f" then try_cast(x as timestamp) when regexp_full_match(x, '{_ZONE}')"
        " then try_cast(without_zone(x) as timestamp) - to_minutes(zone_minutes(x)) end"
    ),
    "text_to_date(x) as cast(text_to_timestamp(x) as date)",
    "money(x) as cast(x as decimal(18, 2))",
    "total(x) as cast(coalesce(sum(x), 0) as decimal(18, 2))",
    "units(x) as cast(coalesce(sum(x), 0) as bigint)",
    "ratio(a, b) as cast(a as double) / nullif(cast(b as double), 0)",
    "hours_between(a, b) as (epoch_us(b) - epoch_us(a)) / 3600000000.0::double",
    # greatest() passes over nulls, and a difference with nothing is nothing.
    "days_between(a, b) as case when b >= a then b - a when b < a then 0 end",
    # Half away from zero, in whole cents.
    "cents(x) as cast(cast(x as decimal(38, 2)) * 100 as hugeint)",
    (
        "money_mean(x, n) as cast(case when n > 0 then sign(cents(x))"
        " * ((2 * abs(cents(x)) + n) // (2 * n)) end::decimal(38, 0) / 100 as decimal(18, 2))"
    ),
    (
        r"state_of(x) as coalesce(upper(nullif(regexp_extract(x,"
        r" '[, ]([A-Za-z]{2}) \d{5}$', 1), '')), 'unknown')"
    ),
    (
        "region_of(s) as case"
        " when s in ('CT','ME','MA','NH','RI','VT','NJ','NY','PA') then 'northeast'"
        " when s in ('IL','IN','MI','OH','WI','IA','KS','MN','MO','NE','ND','SD') then 'midwest'"
        " when s in ('DE','DC','FL','GA','MD','NC','SC','VA','WV','AL','KY','MS','TN','AR','LA',"
        "'OK','TX') then 'south'"
        " when s in ('AZ','CO','ID','MT','NV','NM','UT','WY','AK','CA','HI','OR','WA') then 'west'"
        " when s in ('AS','GU','MP','PR','VI','FM','MH','PW') then 'territory'"
        " when s in ('AA','AE','AP') then 'military' else 'unknown' end"
    ),
]

# Usable once the window and Base Silver are there.
WINDOW_MACROS = [
    "end_of_horizon() as window_end()::timestamp + interval 1 day - interval 1 microsecond",
    # The days of a window of n days that ends at d, as far as orders reach back.
    "window_length(n, d) as greatest(0, least(n, d - (select min(ingestion_dt) from orders) + 1))",
]

TOLERANCE = "interval 48 hours"

ATTRIBUTED_PURCHASES = f"""
with matches as (
    select
        o.order_id,
        max((c.created_at, c.cart_id)) as converting,
        count(*) filter (c.created_at < o.order_date) as cart_touches,
        count(*) filter (c.created_at < o.order_date and c.status = 'abandoned')
            as abandoned_touches,
        min((c.created_at, c.cart_id)) filter (c.created_at < o.order_date) as first_touch,
        max((c.created_at, c.cart_id)) filter (c.created_at < o.order_date) as last_touch
    from orders as o
    join shopping_carts as c
        on c.customer_id = o.customer_id
        and c.created_at <= o.order_date
        and o.order_date <= c.created_at + {TOLERANCE}
    group by o.order_id
)
select
    o.order_id, o.customer_id, o.order_dt, o.order_date, o.order_channel,
    o.gross_total, o.net_total,
    m.converting[2] as converting_cart_id,
    coalesce(m.cart_touches, 0) as cart_touches,
    coalesce(m.abandoned_touches, 0) as abandoned_touches,
    m.first_touch[2] as first_touch_cart_id, m.first_touch[1] as first_touch_at,
    m.last_touch[2] as last_touch_cart_id, m.last_touch[1] as last_touch_at,
    hours_between(m.first_touch[1], o.order_date) as hours_first_touch,
    hours_between(m.last_touch[1], o.order_date) as hours_last_touch,
    coalesce(m.cart_touches, 0) > 0 as is_attributed,
    coalesce(m.abandoned_touches, 0) > 0 as is_recovered,
    o.ingestion_dt
from orders as o left join matches as m using (order_id)
"""

CART_ATTRIBUTION = f"""
with items as (
    select
        i.cart_id, count(*) as item_count, count(distinct p.category) as category_count,
        units(i.quantity) as units, total(i.quantity * i.unit_price) as items_value
    from cart_items as i left join product_catalog as p using (product_id)
    group by i.cart_id
), converting as (
    select
        converting_cart_id as cart_id,
        arg_min(
            (order_id, order_date, order_channel, first_touch_at), (order_date, order_id)
        ) as o
    from attributed_purchases
    where converting_cart_id is not null
    group by converting_cart_id
), joined as (
    select
        c.cart_id, c.customer_id, c.cart_dt, c.created_at, c.updated_at, c.status,
        coalesce(i.item_count, 0) as item_count,
        coalesce(i.category_count, 0) as category_count,
        coalesce(i.units, 0) as units,
        coalesce(i.items_value, 0) as items_value,
        coalesce(c.cart_total, i.items_value, 0) as cart_value,
        v.o[1] as order_id, v.o[2] as order_date, v.o[3] as order_channel,
        hours_between(v.o[4], v.o[2]) as hours_to_purchase,
        c.created_at + {TOLERANCE} <= end_of_horizon() as is_final,
        case
            when v.o[1] is not null then 'converted'
            when c.status = 'emptied' then 'emptied'
            when not c.created_at + {TOLERANCE} <= end_of_horizon() then 'open'
            else 'abandoned'
        end as cart_status,
        c.ingestion_dt
    from shopping_carts as c
    left join items as i using (cart_id)
    left join converting as v using (cart_id)
)
select
    * replace (money(items_value) as items_value, money(cart_value) as cart_value),
    money(case when cart_status = 'abandoned' then cart_value else 0 end) as abandoned_value
from joined
"""

CUSTOMER_LIFETIME_VALUE = """
with bought as (
    select
        customer_id, min(order_dt) as first_order_dt, max(order_dt) as last_order_dt,
        count(*) as order_count, total(gross_total) as gross_revenue,
        total(net_total) as net_revenue, total(total_discount_amount) as discount_total
    from orders where ingestion_dt <= window_end() group by customer_id
), returned as (
    select
        o.customer_id, count(*) as return_count, total(r.refunded_amount) as refund_total
    from returns as r join orders as o using (order_id)
    where r.ingestion_dt <= window_end() group by o.customer_id
), joined as (
    select
        coalesce(c.customer_id, b.customer_id) as customer_id, c.signup_date, c.clv_bucket,
        b.* exclude (customer_id), r.return_count, r.refund_total,
        money(coalesce(b.net_revenue, 0) - coalesce(r.refund_total, 0)) as net_clv,
        date_trunc('month', b.first_order_dt)::date as cohort_month,
        days_between(b.last_order_dt, window_end()) as days_since_last_order
    from customers as c
    full join bought as b using (customer_id)
    left join returned as r on r.customer_id = b.customer_id
    where c.signup_date <= window_end() or b.customer_id is not null
), cohorts as (
    select cohort_month, count(*) as cohort_size, money_mean(sum(net_clv), count(*)) as mean
    from joined where cohort_month is not null group by cohort_month
)
select
    customer_id, is_guest_id(customer_id) as is_guest, signup_date, first_order_dt, last_order_dt,
    coalesce(order_count, 0) as order_count, coalesce(return_count, 0) as return_count,
    money(coalesce(gross_revenue, 0)) as gross_revenue,
    money(coalesce(net_revenue, 0)) as net_revenue,
    money(coalesce(discount_total, 0)) as discount_total,
    money(coalesce(refund_total, 0)) as refund_total,
    net_clv, money_mean(net_revenue, order_count) as avg_order_value,
    days_between(first_order_dt, window_end()) as tenure_days, days_since_last_order,
    cohort_month, cohort_size, mean as cohort_avg_clv,
    case
        when order_count is null then 'prospect'
        when days_since_last_order >= 90 then 'churned'
        when net_clv >= 2000 or order_count >= 5 then 'whale'
        when order_count = 1 then 'one_timer'
        else 'regular'
    end as customer_segment,
    clv_bucket as predicted_clv_bucket,
    case when net_clv >= 2000 then 'high' when net_clv >= 750 then 'medium' else 'low' end
        as actual_clv_bucket,
    window_end() as ingestion_dt
from joined left join cohorts using (cohort_month)
"""

CUSTOMER_RETENTION_SIGNALS = """
with bought as (
    select
        customer_id, min(order_dt) as first_dt, max(order_dt) as last_dt, count(*) as n,
        count(*) filter (order_dt between window_end() - 89 and window_end()) as orders_90d,
        total(case when order_dt between window_end() - 89 and window_end() then net_total end)
            as net_revenue_90d
    from orders where ingestion_dt <= window_end() group by customer_id
), joined as (
    select
        c.customer_id, c.loyalty_tier, b.* exclude (customer_id),
        days_between(b.first_dt, window_end()) as since_first,
        days_between(b.last_dt, window_end()) as since_last,
        -- the expected gap in days is gap_days / gap_count, so that no float decides
        case when b.n >= 2 then greatest(b.last_dt - b.first_dt, 14 * (b.n - 1)) else 60 end
            as gap_days,
        case when b.n >= 2 then b.n - 1 else 1 end as gap_count
    from customers as c left join bought as b using (customer_id)
    where c.signup_date <= window_end() or b.customer_id is not null
)
select
    customer_id, loyalty_tier, first_dt as first_purchase_dt, last_dt as last_purchase_dt,
    coalesce(n, 0) as total_orders, since_first as days_since_first_buy,
    since_last as days_since_last_buy,
    case when n >= 2 then ratio(last_dt - first_dt, n - 1) end as avg_days_between_orders,
    ratio(gap_days, gap_count) as expected_gap_days,
    case
        when n is null then 'none'
        when 2 * since_last * gap_count < 3 * gap_days then 'low'
        when since_last * gap_count < 3 * gap_days then 'medium'
        else 'high'
    end as churn_risk,
    coalesce(orders_90d, 0) as orders_90d,
    money(coalesce(net_revenue_90d, 0)) as net_revenue_90d,
    case when n is null then 0.0::double else
        0.5::double * greatest(0, 1 - ratio(since_last, 90))
        + 0.3::double * least(1, ratio(orders_90d, 5))
        + 0.2::double * least(1, ratio(net_revenue_90d, 500))
    end as engagement_score,
    coalesce(n = 1 and since_first between 30 and 90, false) as is_in_danger_zone,
    coalesce(loyalty_tier = 'bronze' and since_last > 14, false) as needs_bronze_nudge,
    window_end() as ingestion_dt
from joined
"""

INVENTORY_RISK = """
with sold as (
    select ingestion_dt as dt, product_id, sum(quantity) as n from order_items group by all
), returned as (
    select ingestion_dt as dt, product_id, sum(quantity_returned) as n
    from return_items group by all
), windows as (
    select ingestion_dt, window_length(28, ingestion_dt) as w from days
), units_sold as (
    select d.ingestion_dt, s.product_id, sum(s.n) as n from windows as d
    join sold as s on s.dt > d.ingestion_dt - d.w::int and s.dt <= d.ingestion_dt group by all
), units_returned as (
    select d.ingestion_dt, r.product_id, sum(r.n) as n from windows as d
    join returned as r on r.dt > d.ingestion_dt - d.w::int and r.dt <= d.ingestion_dt group by all
), joined as (
    select
        p.product_id, p.product_name, p.category, p.inventory_quantity, p.unit_price, p.cost_price,
        coalesce(s.n, 0)::bigint as units_sold, coalesce(r.n, 0)::bigint as units_returned,
        d.w as window_days, d.ingestion_dt, p.inventory_quantity::hugeint * d.w as cover,
        p.inventory_quantity as inv
    from product_catalog as p cross join windows as d
    left join units_sold as s on s.product_id = p.product_id and s.ingestion_dt = d.ingestion_dt
    left join units_returned as r
        on r.product_id = p.product_id and r.ingestion_dt = d.ingestion_dt
)
select
    product_id, product_name, category, inventory_quantity, unit_price, cost_price,
    units_sold, units_returned, window_days, ratio(units_sold, window_days) as daily_velocity,
    ratio(cover, units_sold) as days_of_cover,
    case when units_sold > 0 and cover // units_sold <= 3650
        then ingestion_dt + (cover // units_sold)::int end as stockout_dt,
    ratio(units_returned, units_sold) as return_rate,
    ratio(units_sold, inv) as utilization_ratio,
    money(coalesce(cost_price, 0) * inv) as locked_capital,
    coalesce(inv <= 0 or cover < 14 * units_sold, false) as is_stockout_risk,
    coalesce(inv > 0 and (units_sold = 0 or cover > 120 * units_sold), false) as is_overstock,
    case when inv <= 0 then 1.0::double else least(1, greatest(0,
        coalesce(ratio(14 * units_sold, cover), 0) + coalesce(ratio(units_returned, units_sold), 0)
    )) end as attention_score,
    -- 14 x sold / cover + returned / sold, over the common denominator
    case
        when inv <= 0 then 'HIGH'
        when units_sold = 0 then 'HEALTHY'
        when 10 * (14 * units_sold::hugeint * units_sold * (cover is not null)::int
            + units_returned * coalesce(cover, 1)) >= 8 * coalesce(cover, 1) * units_sold
            then 'HIGH'
        when 10 * (14 * units_sold::hugeint * units_sold * (cover is not null)::int
            + units_returned * coalesce(cover, 1)) >= 5 * coalesce(cover, 1) * units_sold
            then 'MODERATE'
        else 'HEALTHY'
    end as risk_tier,
    ingestion_dt
from joined
"""

PRODUCT_PERFORMANCE = """
with sold as (
    select
        ingestion_dt, product_id, count(distinct order_id) as orders,
        units(quantity) as units_sold, total(quantity * unit_price) as gross_sales,
        total(discount_amount) as discounts, total(quantity * cost_price) as cogs
    from order_items group by all
), returned as (
    select
        ingestion_dt, product_id, count(distinct return_id) as returns,
        units(quantity_returned) as units_returned, total(refunded_amount) as refunds
    from return_items group by all
), carted as (
    select
        ingestion_dt, product_id, count(distinct cart_id) as carts,
        units(quantity) as units_in_carts
    from cart_items group by all
), joined as (
    select * from sold
    full join returned using (ingestion_dt, product_id)
    full join carted using (ingestion_dt, product_id)
)
select
    product_id, p.category, coalesce(orders, 0) as orders, coalesce(units_sold, 0) as units_sold,
    money(coalesce(gross_sales, 0)) as gross_sales, money(coalesce(discounts, 0)) as discounts,
    money(coalesce(gross_sales - discounts, 0)) as net_sales, money(coalesce(cogs, 0)) as cogs,
    money(coalesce(gross_sales - discounts - cogs, 0)) as gross_profit,
    ratio(gross_sales - discounts - cogs, gross_sales - discounts) as margin_pct,
    coalesce(returns, 0) as returns, coalesce(units_returned, 0) as units_returned,
    money(coalesce(refunds, 0)) as refunds, coalesce(carts, 0) as carts,
    coalesce(units_in_carts, 0) as units_in_carts,
    ratio(coalesce(units_sold, 0), units_in_carts) as cart_to_order_rate, ingestion_dt
from joined left join product_catalog as p using (product_id)
"""

SALES_VELOCITY = """
with sold as (
    select ingestion_dt as dt, product_id, sum(quantity)::bigint as n from order_items group by all
), windows as (
    select
        ingestion_dt, window_length(7, ingestion_dt) as d7, window_length(28, ingestion_dt) as d28
    from days
), summed as (
    select
        d.ingestion_dt, s.product_id, any_value(d.d7) as d7, any_value(d.d28) as d28,
        units(case when s.dt = d.ingestion_dt then s.n end) as units_day,
        units(case when s.dt > d.ingestion_dt - d.d7::int then s.n end) as u7,
        units(case when s.dt > d.ingestion_dt - d.d28::int then s.n end) as u28,
        sum(case when s.dt > d.ingestion_dt - d.d28::int
            then pow(0.7::double, d.ingestion_dt - s.dt) * s.n else 0 end) as weighted
    from windows as d
    join sold as s on s.dt > d.ingestion_dt - 28 and s.dt <= d.ingestion_dt
    group by d.ingestion_dt, s.product_id
), weights as (
    select n as d28, list_sum([pow(0.7::double, i) for i in range(n)]) as total_weight
    from range(1, 29) as r(n)
)
select
    product_id, p.category, units_day, ratio(u7, d7) as velocity_7d,
    ratio(u28, d28) as velocity_28d,
    case
        when 5 * u7 * d28 > 6 * u28 * d7 then 'UP'
        when 5 * u7 * d28 < 4 * u28 * d7 then 'DOWN'
        else 'STABLE'
    end as trend_signal,
    7 * weighted / total_weight as forecast_7d, ingestion_dt
from summed left join weights using (d28) left join product_catalog as p using (product_id)
"""

REGIONAL_FINANCIALS = """
with located as (
    select *, state_of(shipping_address) as state from orders
), sold as (
    select
        ingestion_dt, state, count(*) as orders, count(distinct customer_id) as customers,
        total(gross_total) as gross_revenue, total(total_discount_amount) as discounts,
        total(net_total) as net_revenue, total(shipping_cost) as shipping_revenue,
        total(actual_shipping_cost) as shipping_expense,
        total(payment_processing_fee) as payment_fees
    from located group by all
), returned as (
    select r.ingestion_dt, o.state, total(r.refunded_amount) as refunds
    from returns as r join located as o using (order_id) group by all
), zeros as (
    select
        ingestion_dt, state,
        coalesce(orders, 0) as orders, coalesce(customers, 0) as customers,
        money(coalesce(gross_revenue, 0)) as gross_revenue,
        money(coalesce(discounts, 0)) as discounts, money(coalesce(net_revenue, 0)) as net_revenue,
        money(coalesce(shipping_revenue, 0)) as shipping_revenue,
        money(coalesce(shipping_expense, 0)) as shipping_expense,
        money(coalesce(payment_fees, 0)) as payment_fees, money(coalesce(refunds, 0)) as refunds
    from sold full join returned using (ingestion_dt, state)
)
select
    region_of(state) as region, *,
    money(net_revenue + shipping_revenue - shipping_expense - payment_fees - refunds)
        as contribution
from zeros
"""

DAILY_BUSINESS_METRICS = """
with sold as (
    select
        ingestion_dt, count(*) as orders, count(distinct customer_id) as customers,
        total(gross_total) as gross_revenue, total(total_discount_amount) as discounts,
        total(net_total) as net_revenue,
        total(coalesce(shipping_cost, 0) - coalesce(actual_shipping_cost, 0)) as shipping_margin,
        total(payment_processing_fee) as payment_fees
    from orders group by all
), newcomers as (
    select ingestion_dt, count(*) as new_customers
    from (select min(ingestion_dt) as ingestion_dt from orders group by customer_id) group by all
), lines as (
    select ingestion_dt, units(quantity) as units from order_items group by all
), returned as (
    select ingestion_dt, count(*) as returns, total(refunded_amount) as refunds
    from returns group by all
), carted as (
    select
        ingestion_dt, count(*) as carts,
        count_if(cart_status = 'converted') as converted_carts,
        count_if(cart_status = 'abandoned') as abandoned_carts,
        count_if(cart_status = 'open') as open_carts,
        count_if(cart_status = 'emptied') as emptied_carts,
        total(abandoned_value) as abandoned_value
    from cart_attribution group by all
), recovered as (
    select ingestion_dt, count_if(is_recovered) as recovered_orders
    from attributed_purchases group by all
), zeros as (
    select
        ingestion_dt, coalesce(orders, 0) as orders, coalesce(customers, 0) as customers,
        coalesce(new_customers, 0) as new_customers, coalesce(units, 0) as units,
        money(coalesce(gross_revenue, 0)) as gross_revenue,
        money(coalesce(discounts, 0)) as discounts, money(coalesce(net_revenue, 0)) as net_revenue,
        coalesce(returns, 0) as returns, money(coalesce(refunds, 0)) as refunds,
        coalesce(carts, 0) as carts, coalesce(converted_carts, 0)::bigint as converted_carts,
        coalesce(abandoned_carts, 0)::bigint as abandoned_carts,
        coalesce(open_carts, 0)::bigint as open_carts,
        coalesce(emptied_carts, 0)::bigint as emptied_carts,
        money(coalesce(abandoned_value, 0)) as abandoned_value,
        money(coalesce(shipping_margin, 0)) as shipping_margin,
        money(coalesce(payment_fees, 0)) as payment_fees,
        coalesce(recovered_orders, 0)::bigint as recovered_orders
    from days
    left join sold using (ingestion_dt)
    left join newcomers using (ingestion_dt)
    left join lines using (ingestion_dt)
    left join returned using (ingestion_dt)
    left join carted using (ingestion_dt)
    left join recovered using (ingestion_dt)
)
select
    *, money_mean(net_revenue, orders) as avg_order_value,
    money(net_revenue - refunds) as net_after_refunds,
    ratio(converted_carts, carts) as conversion_rate, ratio(returns, orders) as returns_per_order
from zeros
"""

SHIPPING_ECONOMICS = """
select
    order_id, order_dt, order_channel, shipping_speed, is_expedited, net_total, shipping_cost,
    actual_shipping_cost,
    money(coalesce(shipping_cost, 0) - coalesce(actual_shipping_cost, 0)) as shipping_margin,
    ratio(
        coalesce(shipping_cost, 0) - coalesce(actual_shipping_cost, 0), coalesce(shipping_cost, 0)
    ) as shipping_margin_pct,
    ratio(coalesce(actual_shipping_cost, 0), net_total) as shipping_cost_ratio,
    coalesce(shipping_cost, 0) < coalesce(actual_shipping_cost, 0) as is_subsidised,
    ingestion_dt
from orders
"""

ENRICHED = [
    Query("attributed_purchases", ATTRIBUTED_PURCHASES),
    Query("cart_attribution", CART_ATTRIBUTION),
    Query("customer_lifetime_value", CUSTOMER_LIFETIME_VALUE),
    Query("customer_retention_signals", CUSTOMER_RETENTION_SIGNALS),
    Query("inventory_risk", INVENTORY_RISK),
    Query("product_performance", PRODUCT_PERFORMANCE),
    Query("sales_velocity", SALES_VELOCITY),
    Query("regional_financials", REGIONAL_FINANCIALS),
    Query("daily_business_metrics", DAILY_BUSINESS_METRICS),
    Query("shipping_economics", SHIPPING_ECONOMICS),
]

DIM_CUSTOMERS = """
select
    customer_id, is_guest_id(customer_id) as is_guest, signup_date, signup_channel,
    customer_status, gender, age, loyalty_tier, initial_loyalty_tier, email_verified,
    marketing_opt_in, clv_bucket
from customers full join (select distinct customer_id from orders) using (customer_id)
"""

DIM_PRODUCTS = """
with seen as (
    select product_id from order_items
    union select product_id from cart_items
    union select product_id from return_items
)
select product_id, product_name, category, unit_price, cost_price, inventory_quantity
from product_catalog full join seen using (product_id)
"""

DIM_DATES = """
with seen as (
    select min(ingestion_dt) as low, max(ingestion_dt) as high from (
        select ingestion_dt from orders union select ingestion_dt from order_items
        union select ingestion_dt from shopping_carts union select ingestion_dt from cart_items
        union select ingestion_dt from returns union select ingestion_dt from return_items
    )
), spine as (
    select d::date as date_dt from (
        select unnest(generate_series(
            least(low, (select min(signup_date) from customers)), high + 1, interval 1 day
        )) as d from seen
    )
)
select
    date_dt, year(date_dt) as year, quarter(date_dt) as quarter, month(date_dt) as month,
    date_trunc('month', date_dt)::date as month_start_dt, isoyear(date_dt) as iso_year,
    weekofyear(date_dt) as iso_week, isodow(date_dt) as day_of_week,
    isodow(date_dt) >= 6 as is_weekend
from spine
"""

FCT_ORDERS = """
with lines as (
    select
        order_id, count(*) as lines, units(quantity) as units, total(quantity * cost_price) as cogs,
        total(quantity * unit_price) as value
    from order_items group by order_id
), returned as (
    select order_id, total(refunded_amount) as refunds from returns group by order_id
), joined as (
    select
        o.*, coalesce(l.lines, 0) as lines, coalesce(l.units, 0) as units,
        money(coalesce(l.cogs, 0)) as cogs,
        coalesce(coalesce(l.value, 0) = o.gross_total, false) as has_all_lines,
        money(coalesce(r.refunds, 0)) as refunds
    from orders as o
    left join lines as l using (order_id)
    left join returned as r using (order_id)
)
select
    j.order_id, j.customer_id, j.order_dt, j.order_date, j.ingestion_dt, j.order_channel,
    j.payment_method, j.customer_tier, j.gross_total, j.net_total, j.total_discount_amount,
    j.payment_processing_fee, j.lines, j.units, j.cogs, j.has_all_lines,
    case when j.has_all_lines then money(j.net_total - j.cogs) end as gross_profit,
    a.converting_cart_id, a.cart_touches, a.abandoned_touches, a.first_touch_cart_id,
    a.last_touch_cart_id, a.hours_first_touch, a.hours_last_touch, a.is_attributed,
    a.is_recovered, j.shipping_speed, j.is_expedited, j.shipping_cost, j.actual_shipping_cost,
    money(coalesce(j.shipping_cost, 0) - coalesce(j.actual_shipping_cost, 0)) as shipping_margin,
    j.refunds
from joined as j left join attributed_purchases as a using (order_id)
"""

FCT_CUSTOMERS = """
select
    v.*, r.loyalty_tier, r.avg_days_between_orders, r.expected_gap_days, r.churn_risk,
    r.orders_90d, r.net_revenue_90d, r.engagement_score, r.is_in_danger_zone,
    r.needs_bronze_nudge
from customer_lifetime_value as v
left join customer_retention_signals as r using (customer_id)
"""

FCT_FINANCE_REVENUE = """
select
    ingestion_dt, region, units(orders) as orders, total(gross_revenue) as gross_revenue,
    total(discounts) as discounts, total(net_revenue) as net_revenue,
    total(shipping_revenue) as shipping_revenue, total(shipping_expense) as shipping_expense,
    total(shipping_revenue - shipping_expense) as shipping_margin,
    total(payment_fees) as payment_fees, total(refunds) as refunds,
    total(contribution) as contribution
from regional_financials group by ingestion_dt, region
"""

FCT_MARKETING_ATTRIBUTION = """
select
    ingestion_dt, order_channel, count(*) as orders,
    count_if(is_attributed)::bigint as attributed_orders,
    count_if(is_recovered)::bigint as recovered_orders,
    ratio(count_if(is_attributed), count(*)) as attribution_rate,
    ratio(count_if(is_recovered), count(*)) as recovery_rate,
    total(case when is_recovered then net_total end) as recovered_revenue,
    avg(hours_last_touch) as avg_hours_last_touch, total(net_total) as net_revenue
from attributed_purchases group by ingestion_dt, order_channel
"""

FCT_SALES_OPERATIONS = """
select
    ingestion_dt, product_id, p.units_sold, p.net_sales, p.gross_profit, p.margin_pct,
    p.units_returned, p.refunds, p.units_in_carts, p.cart_to_order_rate, v.units_day,
    v.velocity_7d, v.velocity_28d, v.trend_signal, v.forecast_7d, r.inventory_quantity,
    r.days_of_cover, r.stockout_dt, r.is_stockout_risk, r.is_overstock, r.risk_tier
from product_performance as p
full join sales_velocity as v using (ingestion_dt, product_id)
full join inventory_risk as r using (ingestion_dt, product_id)
"""

FCT_CART_ABANDONMENT = """
with daily as (
    select
        ingestion_dt, count(*) as carts,
        count_if(cart_status = 'converted')::bigint as converted_carts,
        count_if(cart_status = 'abandoned')::bigint as abandoned_carts,
        count_if(cart_status = 'open')::bigint as open_carts,
        count_if(cart_status = 'emptied')::bigint as emptied_carts,
        bool_and(is_final) as is_final, total(abandoned_value) as abandoned_value,
        avg(hours_to_purchase) as avg_hours_to_purchase
    from cart_attribution group by ingestion_dt
)
select
    *, ratio(converted_carts, carts) as conversion_rate,
    case when is_final then ratio(abandoned_carts, abandoned_carts + converted_carts) end
        as abandonment_rate
from daily
"""

FCT_PRODUCT_PROFITABILITY = """
with summed as (
    select
        product_id, units(orders) as orders, units(units_sold) as units_sold,
        total(gross_sales) as gross_sales, total(discounts) as discounts,
        total(net_sales) as net_sales, total(cogs) as cogs, total(gross_profit) as gross_profit,
        ratio(sum(gross_profit), sum(net_sales)) as margin_pct,
        units(units_returned) as units_returned, total(refunds) as refunds,
        ratio(sum(units_returned), sum(units_sold)) as return_rate,
        units(units_in_carts) as units_in_carts
    from product_performance group by product_id
)
select
    s.*, p.category,
    row_number() over (
        partition by p.category order by s.gross_profit desc, s.product_id
    ) as profit_rank
from summed as s left join product_catalog as p using (product_id)
"""

FCT_CUSTOMER_SEGMENTS = """
with grouped as (
    select
        ingestion_dt, customer_segment, actual_clv_bucket, count(*) as customers,
        total(net_clv) as net_clv
    from customer_lifetime_value group by all
)
select
    *, money_mean(net_clv, customers) as avg_clv,
    ratio(customers, sum(customers) over (partition by ingestion_dt)) as share_of_customers,
    ratio(net_clv, sum(net_clv) over (partition by ingestion_dt)) as share_of_clv
from grouped
"""

FCT_DAILY_DASHBOARD = """
with metrics as (
    select
        *, avg(orders) over week as orders_7d_avg,
        money_mean(sum(net_revenue) over week, count(*) over week) as net_revenue_7d_avg,
        avg(conversion_rate) over week as conversion_rate_7d_avg
    from daily_business_metrics
    window week as (
        order by ingestion_dt range between interval 6 days preceding and current row
    )
)
select
    m.*, ratio(m.orders, b.orders) - 1 as orders_wow,
    ratio(m.net_revenue, b.net_revenue) - 1 as net_revenue_wow,
    ratio(m.conversion_rate, b.conversion_rate) - 1 as conversion_rate_wow
from metrics as m
left join daily_business_metrics as b on b.ingestion_dt = m.ingestion_dt - 7
"""

FCT_SHIPPING_ANALYSIS = """
select
    ingestion_dt, shipping_speed, order_channel, count(*) as orders,
    total(shipping_cost) as shipping_revenue, total(actual_shipping_cost) as shipping_expense,
    total(shipping_margin) as shipping_margin,
    ratio(sum(shipping_margin), sum(shipping_cost)) as margin_pct,
    count_if(is_subsidised)::bigint as subsidised_orders
from shipping_economics group by ingestion_dt, shipping_speed, order_channel
"""

GOLD = [
    Query("dim_customers", DIM_CUSTOMERS),
    Query("dim_products", DIM_PRODUCTS),
    Query("dim_dates", DIM_DATES),
    Query("fct_orders", FCT_ORDERS),
    Query("fct_customers", FCT_CUSTOMERS),
    Query("fct_finance_revenue", FCT_FINANCE_REVENUE),
    Query("fct_marketing_attribution", FCT_MARKETING_ATTRIBUTION),
    Query("fct_sales_operations", FCT_SALES_OPERATIONS),
    Query("fct_cart_abandonment", FCT_CART_ABANDONMENT),
    Query("fct_product_profitability", FCT_PRODUCT_PROFITABILITY),
    Query("fct_customer_segments", FCT_CUSTOMER_SEGMENTS),
    Query("fct_daily_dashboard", FCT_DAILY_DASHBOARD),
    Query("fct_shipping_analysis", FCT_SHIPPING_ANALYSIS),
]
