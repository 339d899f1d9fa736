with

performance as (

  select * from {{ source('enriched', 'product_performance') }}
  where {{ is_read('enriched.product_performance') }}

),

products as (

  select
    product_id,
    category
  from {{ ref('product_catalog') }}

),

summed as (

  select
    product_id,
    {{ units("orders") }} as orders,
    {{ units("units_sold") }} as units_sold,
    {{ total("gross_sales") }} as gross_sales,
    {{ total("discounts") }} as discounts,
    {{ total("net_sales") }} as net_sales,
    {{ total("cogs") }} as cogs,
    {{ total("gross_profit") }} as gross_profit,
    {{ units("units_returned") }} as units_returned,
    {{ total("refunds") }} as refunds,
    {{ units("units_in_carts") }} as units_in_carts

  from performance
  group by product_id

),

final as (

  select
    summed.product_id,
    products.category,
    summed.orders,
    summed.units_sold,
    summed.gross_sales,
    summed.discounts,
    summed.net_sales,
    summed.cogs,
    summed.gross_profit,
    {{ ratio("summed.gross_profit", "summed.net_sales") }} as margin_pct,
    summed.units_returned,
    summed.refunds,
    {{ ratio("summed.units_returned", "summed.units_sold") }} as return_rate,
    summed.units_in_carts,
    row_number() over (
      partition by products.category
      order by summed.gross_profit desc, summed.product_id asc
    ) as profit_rank

  from summed
  left join products on summed.product_id = products.product_id

)

select * from final
