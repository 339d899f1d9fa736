with

orders as (

  select * from {{ ref('orders') }}
  where {{ is_read('base_silver.orders') }}

),

attributed as (

  select * from {{ source('enriched', 'attributed_purchases') }}
  where {{ is_read('enriched.attributed_purchases') }}

),

shipping as (

  select
    order_id,
    shipping_margin
  from {{ source('enriched', 'shipping_economics') }}
  where {{ is_read('enriched.shipping_economics') }}

),

lines as (

  select
    order_id,
    count(*) as line_count,
    {{ units("quantity") }} as units,
    {{ total("quantity * cost_price") }} as cogs,
    {{ total("quantity * unit_price") }} as line_value

  from {{ ref('order_items') }}
  where {{ is_read('base_silver.order_items') }}
  group by order_id

),

refunded as (

  select
    order_id,
    {{ total("refunded_amount") }} as refunds

  from {{ ref('returns') }}
  where {{ is_read('base_silver.returns') }}
  group by order_id

),

with_lines as (

  select
    orders.*,
    coalesce(lines.line_count, 0) as line_count,
    coalesce(lines.units, 0) as units,
    cast(coalesce(lines.cogs, 0) as {{ sql_type("money") }}) as cogs,
    coalesce(lines.line_value, 0) = orders.gross_total as has_all_lines

  from orders
  left join lines on orders.order_id = lines.order_id

),

final as (

  select

    ---------- ids
    with_lines.order_id,
    with_lines.customer_id,

    ---------- times
    with_lines.order_dt,
    with_lines.order_date,
    with_lines.ingestion_dt,

    ---------- attributes
    with_lines.order_channel,
    with_lines.payment_method,
    with_lines.customer_tier,

    ---------- money
    with_lines.gross_total,
    with_lines.net_total,
    with_lines.total_discount_amount,
    with_lines.payment_processing_fee,

    ---------- lines
    with_lines.line_count as lines,
    with_lines.units,
    with_lines.cogs,
    with_lines.has_all_lines,
    case
      when with_lines.has_all_lines
        then cast(with_lines.net_total - with_lines.cogs as {{ sql_type("money") }})
    end as gross_profit,

    ---------- attribution
    attributed.converting_cart_id,
    attributed.cart_touches,
    attributed.abandoned_touches,
    attributed.first_touch_cart_id,
    attributed.last_touch_cart_id,
    attributed.hours_first_touch,
    attributed.hours_last_touch,
    attributed.is_attributed,
    attributed.is_recovered,

    ---------- shipping
    with_lines.shipping_speed,
    with_lines.is_expedited,
    with_lines.shipping_cost,
    with_lines.actual_shipping_cost,
    shipping.shipping_margin,

    ---------- returns
    cast(coalesce(refunded.refunds, 0) as {{ sql_type("money") }}) as refunds

  from with_lines
  left join attributed on with_lines.order_id = attributed.order_id
  left join shipping on with_lines.order_id = shipping.order_id
  left join refunded on with_lines.order_id = refunded.order_id

)

select * from final
