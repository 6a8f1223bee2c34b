//! Products.

use entity::sales::product;

use crate::edit::{form, records};

form! {
    /// A product to be.
    CreateProductInput,
    /// A change of a product. What is absent stays; what is null is cleared.
    UpdateProductInput,
    of product:
    needs {
        /// What people and documents know it by, up to 64 characters; unique.
        code: String,
        /// What it is called, up to 200 characters.
        name: String,
    }
    defaults {
        /// Whether it is on offer.
        active: bool = "true",
    }
    may {
        /// What there is to say about it, up to 2000 characters.
        description: String,
        /// What it is counted in, such as `kg`, up to 16 characters; pieces when absent.
        unit: String,
    }
    amounts {
        /// The price of one, without tax.
        price in currency = "price",
    }
    rates {
        /// The tax rate as a fraction from 0 to 1: `0.1` is 10 %.
        tax_rate to tax_rate_bp = "taxRate",
    }
}

records! {
    /// Changing products.
    ProductMutation of product by WriteProducts;
    create create_product(CreateProductInput) -> CreateProductPayload: "Adds a product.";
    update update_product(UpdateProductInput) -> UpdateProductPayload: "Changes a product. What was sold keeps its price.";
    delete delete_product -> DeleteProductPayload: "Deletes a product: lists leave it out.";
    restore restore_product -> RestoreProductPayload: "Takes the deletion of a product back.";
}
