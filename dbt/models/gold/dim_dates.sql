with

event_days as (

  select ingestion_dt from {{ ref('orders') }}
  where {{ is_read('base_silver.orders') }}
  union distinct
  select ingestion_dt from {{ ref('order_items') }}
  where {{ is_read('base_silver.order_items') }}
  union distinct
  select ingestion_dt from {{ ref('shopping_carts') }}
  where {{ is_read('base_silver.shopping_carts') }}
  union distinct
  select ingestion_dt from {{ ref('cart_items') }}
  where {{ is_read('base_silver.cart_items') }}
  union distinct
  select ingestion_dt from {{ ref('returns') }}
  where {{ is_read('base_silver.returns') }}
  union distinct
  select ingestion_dt from {{ ref('return_items') }}
  where {{ is_read('base_silver.return_items') }}

),

signups as (

  select min(signup_date) as first_signup from {{ ref('customers') }}

),

bounds as (

  select
    least(
      min(event_days.ingestion_dt),
      coalesce(min(signups.first_signup), min(event_days.ingestion_dt))
    ) as first_dt,
    max(event_days.ingestion_dt) as last_dt

  from event_days
  cross join signups

),

spine as (

  {{ days_between(
    "(select first_dt from bounds)",
    "(select " ~ days_after("last_dt", 1) ~ " from bounds)"
  ) }}

),

final as (

  select
    date_dt,
    extract(year from date_dt) as year,
    extract(quarter from date_dt) as quarter,
    extract(month from date_dt) as month,
    {{ month_start("date_dt") }} as month_start_dt,
    {{ iso_year("date_dt") }} as iso_year,
    {{ iso_week("date_dt") }} as iso_week,
    {{ day_of_week("date_dt") }} as day_of_week,
    {{ day_of_week("date_dt") }} >= 6 as is_weekend

  from spine

)

select * from final
